//! Statements of the worker's that may run code of users: what fails there, or takes too long, fails by itself.

use std::fmt;
use std::time::Duration;

use pgrx::PgSqlErrorCode;
use pgrx::pg_sys::panic::CaughtError;

use super::running::{self, Trigger};
use crate::pg::catalog::relation;
use crate::pg::last_error;
use crate::pg::spi::subtransaction::attempt;
use crate::pg::spi::time_limit::TimeLimit;
use crate::pg::spi::transaction::sqlstate;

/// What came of code of users that kept a statement from what it was to do.
pub(crate) struct Refusal {
    /// The trigger that it was in, if it was in one.
    trigger: Option<Trigger>,
    /// The statement was ended because its time was up.
    pub(crate) is_cut: bool,
    limit: Duration,
    sqlstate: i32,
    message: String,
    context: String,
    error: Box<CaughtError>,
}

/// Runs a statement that may run code of users, each run of which has so much time. A failure takes nothing but the statement back.
pub(crate) fn guarded<R>(limit: Duration, statement: impl FnOnce() -> R) -> Result<R, Refusal> {
    running::take_blamed();
    let time = TimeLimit::new(limit);
    let result = attempt(statement);
    result.map_err(|error| {
        let (CaughtError::PostgresError(report)
        | CaughtError::ErrorReport(report)
        | CaughtError::RustPanic { ereport: report, .. }) = &*error;
        let last = last_error::take().unwrap_or_default();
        Refusal {
            trigger: running::take_blamed(),
            is_cut: report.sql_error_code() == PgSqlErrorCode::ERRCODE_QUERY_CANCELED && time.is_over(),
            limit,
            sqlstate: if last.sqlstate == 0 { report.sql_error_code() as i32 } else { last.sqlstate },
            message: report.message().to_owned(),
            context: last.context,
            error,
        }
    })
}

impl Refusal {
    /// Whether a constraint of the table, or a value that a column cannot hold, is the reason.
    pub(crate) fn is_of_the_row(&self) -> bool {
        is_of_the_row(self.sqlstate)
    }

    /// Has the whole transaction fail of it.
    pub(crate) fn rethrow(self) -> ! {
        self.error.rethrow()
    }

    /// What it says, without who says it.
    pub(crate) fn reason(&self) -> String {
        if self.is_cut {
            return format!("it took longer than {} ms", self.limit.as_millis());
        }
        format!("{} (SQLSTATE {})", self.message, sqlstate(self.sqlstate))
    }
}

/// Whether a SQLSTATE is of the class of data exceptions or of violated constraints.
pub(crate) fn is_of_the_row(packed: i32) -> bool {
    let state = sqlstate(packed);
    state.starts_with("22") || state.starts_with("23")
}

/// Who says it, and what and where. Within a transaction.
impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Trigger { name, table, function }) = &self.trigger {
            let table = relation::name(*table);
            write!(
                f,
                "trigger \"{name}\" on table \"net.{table}\", which runs {}: ",
                relation::function_name(*function)
            )?;
        }
        write!(f, "{}", self.reason())?;
        // The outermost line is our own statement.
        let is_ours = |line: &&str| line.starts_with("SQL statement \"") && line.contains(" net.");
        let mut lines: Vec<&str> = self.context.lines().collect();
        if lines.last().is_some_and(is_ours) {
            lines.pop();
        }
        if lines.is_empty() { Ok(()) } else { write!(f, "; context: {}", lines.join("; ")) }
    }
}
