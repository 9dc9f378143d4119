use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::ErrorReport;
use pgrx::{PgLogLevel, function_name};

use super::text;

/// An error for the one who called: what was wrong, its SQLSTATE, and what to do.
#[derive(Debug)]
pub(crate) struct SqlError {
    code: PgSqlErrorCode,
    message: String,
    hint: Option<String>,
}

impl SqlError {
    pub(crate) fn new(code: PgSqlErrorCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), hint: None }
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

    /// Ends the statement with this error.
    pub(crate) fn raise(self) -> ! {
        let mut report = ErrorReport::new(self.code, text::for_message(self.message), function_name!());
        if let Some(hint) = self.hint {
            report = report.set_hint(hint);
        }
        report.report(PgLogLevel::ERROR);
        unreachable!("an error report does not return")
    }
}
