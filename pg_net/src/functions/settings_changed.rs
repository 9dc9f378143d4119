//! The trigger on tables whose rows are settings.

use pgrx::pg_sys;

use crate::pg::SqlError;
use crate::pg::catalog::invalidation;
use crate::pg::fcall::call::{Call, sql_function};
use crate::tables::dump;

sql_function!(settings_changed, pg_finfo_settings_changed, tell);

/// Tells the worker and the sessions, when the transaction commits, to read the table again, and has a dump hold its rows.
fn tell(call: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    if let Some(table) = call.trigger_table() {
        invalidation::announce(table);
        dump::changed(table);
    }
    Ok(Some(pg_sys::Datum::null()))
}
