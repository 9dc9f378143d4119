//! Settings that look like ours and are none: misspelt, or another version's. They are warned about and never refused, so that
//! a configuration that is there for another version does not keep the server from starting, nor a session from setting them.

use std::collections::hash_map::DefaultHasher;
use std::ffi::CStr;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use pgrx::PgSqlErrorCode;

use crate::pg::SqlError;
use crate::pg::process::guc::{self, Source};
use crate::shmem;

/// What the postmaster has told of, as a number. Processes inherit it.
static TOLD_AT_START: AtomicU64 = AtomicU64::new(0);

/// Warns about those in the server's configuration, when the server starts. For the postmaster.
pub(crate) fn warn_at_start() {
    let names = named(Source::Server);
    TOLD_AT_START.store(number(&names), SeqCst);
    warn(names, "");
}

/// The same when the configuration was read again. For one process of the server.
pub(crate) fn warn_at_reload() {
    let names = named(Source::Server);
    shmem::get().told_settings.store(number(&names), SeqCst);
    warn(names, "");
}

/// The same when that process starts: it may have missed a reload.
pub(crate) fn warn_of_missed_reload() {
    let told = match shmem::get().told_settings.load(SeqCst) {
        0 => TOLD_AT_START.load(SeqCst),
        told => told,
    };
    if told != number(&named(Source::Server)) {
        warn_at_reload();
    }
}

/// Warns about those that the database or the role of this session has been given.
pub(crate) fn warn_of_given() {
    warn(named(Source::DatabaseOrRole), ", which the worker's database or role has been given");
}

fn named(wanted: Source) -> Vec<String> {
    let mut names = Vec::new();
    guc::each_unknown(|name, source| {
        if source == wanted && is_ours(name) {
            names.push(name.to_string_lossy().into_owned());
        }
    });
    names.sort();
    names
}

/// Tells one list of names from another; never 0.
fn number(names: &[String]) -> u64 {
    let mut hasher = DefaultHasher::new();
    names.hash(&mut hasher);
    hasher.finish().max(1)
}

fn warn(names: Vec<String>, given: &str) {
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
