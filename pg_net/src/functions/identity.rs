//! Telling a database from its copies.

use pgrx::pg_sys;

use crate::pg::SqlError;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::process::server;

sql_function!(this_database, pg_finfo_this_database, stamp);

fn stamp(_: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    Ok(Some(server::DatabaseIdentity::of_this_database().0.into()))
}
