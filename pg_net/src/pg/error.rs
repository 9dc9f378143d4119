use std::cell::{Cell, UnsafeCell};
use std::ffi::{c_int, c_void};
use std::panic::AssertUnwindSafe;
use std::ptr;

use pgrx::pg_sys::panic::{CaughtError, ErrorReport};
use pgrx::{PgLogLevel, PgSqlErrorCode, PgTryBuilder, function_name, pg_guard, pg_sys};

use super::last_error;
use super::types::text;

/// An error for the one who called: what was wrong, its SQLSTATE, and what to do.
#[derive(Debug)]
pub(crate) struct SqlError {
    code: PgSqlErrorCode,
    message: String,
    hint: Option<String>,
    /// The SQLSTATE where it is none of Postgres' own, as Postgres packs it.
    foreign: Option<c_int>,
}

impl SqlError {
    pub(crate) fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None, foreign: None }
    }

    /// An argument with a value that it must not have (SQLSTATE 22023).
    pub(crate) fn invalid(message: impl Into<String>) -> Self {
        Self::new(PgSqlErrorCode::ERRCODE_INVALID_PARAMETER_VALUE, message)
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    /// Does what may raise an error of Postgres' whose detail holds a row, such as that of a constraint, and takes the detail
    /// off. The transaction cannot go on after it: it is to be raised.
    pub(crate) fn without_detail<R>(work: impl FnOnce() -> R) -> Result<R, Self> {
        PgTryBuilder::new(AssertUnwindSafe(|| Ok(last_error::watch(work))))
            .catch_others(|error| {
                let (CaughtError::PostgresError(report)
                | CaughtError::ErrorReport(report)
                | CaughtError::RustPanic { ereport: report, .. }) = error;
                Err(Self {
                    code: report.sql_error_code(),
                    message: report.message().to_owned(),
                    hint: report.hint().map(str::to_owned),
                    foreign: last_error::take()
                        .map(|error| error.sqlstate)
                        .filter(|_| is_unknown(report.sql_error_code())),
                })
            })
            .execute()
    }

    /// Ends the statement that called a function of ours with this error, as the last thing that the function does. The
    /// statement and what led to it go to the client only, not into the server's log: the arguments stand there, and with
    /// them secrets.
    pub(crate) fn raise_to_caller(self) -> ! {
        FOREIGN.set(self.foreign);
        keep_statement_out_of_the_log();
        self.raise()
    }

    /// Ends the statement with this error.
    pub(crate) fn raise(self) -> ! {
        self.report(PgLogLevel::ERROR);
        unreachable!("an error report does not return")
    }

    /// Says it as a warning.
    pub(crate) fn warn(self) {
        self.report(PgLogLevel::WARNING);
    }

    /// Tells the client, who called something that is there for the sake of old code.
    pub(crate) fn notice(self) {
        self.report(PgLogLevel::NOTICE);
    }

    fn report(self, level: PgLogLevel) {
        let mut report = ErrorReport::new(self.code, text::for_message(self.message), function_name!());
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(level);
    }
}

/// Whether a SQLSTATE is what the bindings make of one that they do not know.
fn is_unknown(code: PgSqlErrorCode) -> bool {
    code == PgSqlErrorCode::ERRCODE_INTERNAL_ERROR
}

unsafe extern "C-unwind" {
    /// Not among the bindings. Does not raise where an error is being put together.
    fn errcode(sqlstate: c_int) -> c_int;
}

struct Callback(UnsafeCell<pg_sys::ErrorContextCallback>);

thread_local! {
    /// The SQLSTATE of the error that is raised next, where it is none of Postgres' own.
    static FOREIGN: Cell<Option<c_int>> = const { Cell::new(None) };
    static CALLBACK: Callback = const {
        Callback(UnsafeCell::new(pg_sys::ErrorContextCallback {
            previous: ptr::null_mut(),
            callback: Some(hide_statement),
            arg: ptr::null_mut(),
        }))
    };
}

/// For the error that is raised next. Postgres sets the stack of callbacks back to what it was before, where it catches it.
fn keep_statement_out_of_the_log() {
    CALLBACK.with(|callback| {
        let callback = callback.0.get();
        // SAFETY: the callback lives as long as the process' one thread that raises errors, and is not on the stack yet: the
        // error that it was put there for has been caught.
        unsafe {
            if pg_sys::error_context_stack != callback {
                (*callback).previous = pg_sys::error_context_stack;
                pg_sys::error_context_stack = callback;
            }
        }
    });
}

#[pg_guard]
unsafe extern "C-unwind" fn hide_statement(_argument: *mut c_void) {
    // SAFETY: Postgres calls this while it puts an error together.
    unsafe {
        pg_sys::errhidestmt(true);
        pg_sys::errhidecontext(true);
        if let Some(sqlstate) = FOREIGN.take() {
            errcode(sqlstate);
        }
    }
}
