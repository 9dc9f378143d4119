//! Telling which origins are in trouble.

use pgrx::pg_sys;
use std::fmt::Write;

use crate::pg::SqlError;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::process::server;
use crate::pg::types::text;
use crate::shmem;

sql_function!(origin_states, pg_finfo_origin_states, states);

/// The origins of this database as a JSON array, for SQL to make rows of. Times are microseconds since the beginning of
/// 2000, as Postgres counts them.
fn states(_: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    let mut json = String::from("[");
    for sick in shmem::get().origins.read(server::my_database()) {
        let state = match sick.standing {
            shmem::STANDING_PROBING => "probing",
            shmem::STANDING_DEFERRED => "deferred",
            _ => "healthy",
        };
        let comma = if json.len() > 1 { "," } else { "" };
        // An origin is made of what a URL's head may hold, and the names of failures are ours: nothing to be escaped.
        // Writing to a string does not fail.
        let _ = write!(
            json,
            r#"{comma}{{"origin":"{}","state":"{state}","failures":{},"last_failure":"{}","failing_since":{},"held_until":{}}}"#,
            sick.origin, sick.failures, sick.last_failure, sick.failing_since, sick.held_until,
        );
    }
    json.push(']');
    Ok(Some(text::datum(&json)))
}
