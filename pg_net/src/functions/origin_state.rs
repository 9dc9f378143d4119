//! Telling which origins are in trouble.

use pgrx::pg_sys;
use std::fmt::Write;

use crate::pg::call::{Call, sql_function};
use crate::pg::{SqlError, server, text};
use crate::shared;

sql_function!(origin_states, pg_finfo_origin_states, states);

/// The origins of this database as a JSON array, for SQL to make rows of. Times are microseconds since the beginning of
/// 2000, as Postgres counts them.
fn states(_: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    let mut json = String::from("[");
    for sick in shared::get().origins.read(server::my_database()) {
        let state = match sick.standing {
            shared::STANDING_PROBED => "probed",
            shared::STANDING_HELD => "held",
            _ => "open",
        };
        let comma = if json.len() > 1 { "," } else { "" };
        // An origin is made of what a URL's head may hold, and the names of failures are ours: nothing to be escaped.
        // Writing to a string does not fail.
        let _ = write!(
            json,
            r#"{comma}{{"origin":"{}","state":"{state}","failures":{},"last_failure":"{}","next_probe":{},"held_until":{}}}"#,
            sick.origin, sick.failures, sick.last_failure, sick.next_probe, sick.held_until,
        );
    }
    json.push(']');
    Ok(Some(text::datum(&json)))
}
