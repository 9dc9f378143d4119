//! Settings that look like ours and are none: misspelt, or another version's. They are warned about and never refused, so that
//! a configuration that is there for another version does not keep the server from starting, nor a session from setting them.

use std::ffi::CStr;

use pgrx::PgSqlErrorCode;

use crate::pg::SqlError;
use crate::pg::guc::{self, Source};

/// Warns about those in the server's configuration. For one process each time that it is read.
pub(crate) fn warn_of_configured() {
    warn(Source::Server, "");
}

/// Warns about those that the database or the role of this session has been given.
pub(crate) fn warn_of_given() {
    warn(Source::DatabaseOrRole, ", which the worker's database or role has been given");
}

fn warn(wanted: Source, given: &str) {
    let mut names = Vec::new();
    guc::each_unknown(|name, source| {
        if source == wanted && is_ours(name) {
            names.push(name.to_string_lossy().into_owned());
        }
    });
    for name in names {
        SqlError::new(
            PgSqlErrorCode::ERRCODE_UNDEFINED_OBJECT,
            format!("pg_net has no setting \"{name}\"{given}: it is without effect"),
        )
        .hint("Those that it has are listed by: select name, short_desc from pg_settings where name like 'pg_net.%'")
        .warn();
    }
}

fn is_ours(name: &CStr) -> bool {
    const PREFIX: &[u8] = b"pg_net.";
    name.to_bytes().get(..PREFIX.len()).is_some_and(|start| start.eq_ignore_ascii_case(PREFIX))
}
