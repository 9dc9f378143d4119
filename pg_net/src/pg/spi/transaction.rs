//! Transactions of the worker's own.

use std::cell::Cell;
use std::ffi::CStr;
use std::fmt;
use std::panic::AssertUnwindSafe;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgSqlErrorCode, PgTryBuilder, pg_sys};

use super::leftovers;
use super::plan::Session;
use crate::pg::process::cancel::Cancellable;

/// Why a transaction was aborted: the error's SQLSTATE and message, and nothing that could hold a row's values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aborted {
    pub(crate) code: PgSqlErrorCode,
    pub(crate) message: String,
}

impl fmt::Display for Aborted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (SQLSTATE {})", self.message, self.sqlstate())
    }
}

impl Aborted {
    fn sqlstate(&self) -> String {
        sqlstate(self.code as i32)
    }
}

/// The five characters of a SQLSTATE: Postgres packs six bits each into a number.
pub(crate) fn sqlstate(packed: i32) -> String {
    (0..5).map(|place| char::from(((packed >> (6 * place)) & 0x3f) as u8 + b'0')).collect()
}

thread_local! {
    static RAN: Cell<bool> = const { Cell::new(false) };
    static USER_CODE: Cell<bool> = const { Cell::new(false) };
}

/// Code of users may run in this transaction.
pub(crate) fn note_user_code() {
    USER_CODE.set(true);
}

/// Whether there was a transaction since the last call.
///
/// To be asked before a wait for the latch: a transaction that waited, for a lock perhaps, has waited for the latch, too,
/// and may have reset it when it was set for this process to see something else.
pub(crate) fn take_ran() -> bool {
    RAN.take()
}

/// Runs `work` in a transaction and commits it. An error of Postgres' or a panic aborts it, and comes back as a value.
///
/// `activity` is what `pg_stat_activity` shows as the query meanwhile.
pub(crate) fn transaction<R>(activity: &CStr, work: impl FnOnce(&Session) -> R) -> Result<R, Aborted> {
    report(pg_sys::BackendState::STATE_RUNNING, Some(activity));
    RAN.set(true);
    let _cancellable = Cancellable::new();
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: the order that the manual's worker_spi example has; an error on the way ends in the abort below.
        unsafe {
            pg_sys::SetCurrentStatementStartTimestamp();
            pg_sys::StartTransactionCommand();
            let snapshot = pg_sys::GetTransactionSnapshot();
            pg_sys::PushActiveSnapshot(snapshot);
        }
        // SAFETY: a level of settings of its own, ended below, or by the abort.
        let settings = unsafe { pg_sys::NewGUCNestLevel() };
        let session = Session::connect();
        let result = work(&session);
        drop(session);
        // SAFETY: ends what was begun above. What code of users has set ends with it.
        unsafe {
            pg_sys::AtEOXact_GUC(false, settings);
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(result)
    }))
    .catch_others(|error| Err(aborted(error)))
    .execute();
    if result.is_err() {
        // SAFETY: the transaction failed; the abort releases whatever it held and leaves no transaction.
        unsafe { pg_sys::AbortCurrentTransaction() };
    }
    if USER_CODE.take() {
        leftovers::remove();
    }
    result
}

/// Says in `pg_stat_activity` that nothing is being done, and hands table statistics over.
pub(crate) fn report_idle() {
    report(pg_sys::BackendState::STATE_IDLE, None);
    // SAFETY: outside a transaction, as its contract asks.
    unsafe { pg_sys::pgstat_report_stat(true) };
}

/// Hands table statistics over if that was not done within the last second: autovacuum goes by them.
pub(crate) fn report_statistics() {
    // SAFETY: outside a transaction, as its contract asks.
    unsafe { pg_sys::pgstat_report_stat(false) };
}

/// Has what the transaction did up to now be seen by what comes next, as the end of a statement does.
pub(crate) fn see_own_changes() {
    // SAFETY: within a transaction.
    unsafe { pg_sys::CommandCounterIncrement() };
}

fn report(state: pg_sys::BackendState::Type, activity: Option<&CStr>) {
    let text = activity.map_or(std::ptr::null(), CStr::as_ptr);
    // SAFETY: a C string that is copied, or null.
    unsafe { pg_sys::pgstat_report_activity(state, text) };
}

fn aborted(error: CaughtError) -> Aborted {
    let (CaughtError::PostgresError(report)
    | CaughtError::ErrorReport(report)
    | CaughtError::RustPanic { ereport: report, .. }) = error;
    Aborted { code: report.sql_error_code(), message: report.message().to_owned() }
}
