//! Connecting to the database, without a restart every second where that cannot succeed.

use std::ffi::CString;
use std::ptr;
use std::time::Duration;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;

use crate::pg::transaction::transaction;
use crate::pg::{server, wait};
use crate::{VERSION, settings, shared};

const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Connects to the database of the settings. False if the process is to end, and be started again, instead.
///
/// A connection that fails ends the process with a FATAL error. The start after one looks first, from outside of any
/// database, whether the database and the role exist, and waits until they do.
pub(super) fn connect() -> bool {
    let shared = shared::get();
    while !shared.closed.is_empty() {
        wait::wait_for_latch(LONGEST_WAIT);
        if BackgroundWorker::sigterm_received() {
            return false;
        }
    }
    let failed = shared.first.count_start();
    if failed > 0 && !shared.first.take_looked() {
        look_from_outside(failed);
        shared.first.set_looked();
        return false;
    }
    let (database, username) = (settings::database_name(), settings::username());
    BackgroundWorker::connect_worker_to_spi(Some(&database), username.as_deref());
    prepare_session();
    true
}

/// Waits until the database and the role exist, or the process is asked to end.
fn look_from_outside(failed: u32) {
    // SAFETY: connects to the shared catalogs alone; allowed once, as the first thing.
    unsafe { pg_sys::BackgroundWorkerInitializeConnection(ptr::null(), ptr::null(), 0) };
    let mut wait = Duration::from_secs(1 << failed.min(6)).min(LONGEST_WAIT);
    let mut logged = false;
    loop {
        wait::wait_for_latch(wait);
        pgrx::check_for_interrupts!();
        if BackgroundWorker::sighup_received() {
            reload_configuration();
        }
        if BackgroundWorker::sigterm_received() {
            return;
        }
        match transaction(c"looking for the database", |_| obstacle()) {
            Ok(None) => return,
            Ok(Some(obstacle)) if !logged => {
                pgrx::log!("pg_net: {obstacle}; the worker waits until that changes");
                logged = true;
            }
            _ => {}
        }
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}

/// Why a connection cannot succeed, as far as the shared catalogs tell.
fn obstacle() -> Option<String> {
    let missing = |what: &str, name: &str, find: unsafe extern "C-unwind" fn(*const i8, bool) -> pg_sys::Oid| {
        let text = CString::new(name).ok()?;
        // SAFETY: a catalog look-up within a transaction; what is missing gives an invalid oid.
        let oid = unsafe { find(text.as_ptr(), true) };
        (oid == pg_sys::InvalidOid).then(|| format!("{what} \"{name}\" does not exist"))
    };
    missing("database", &settings::database_name(), database_oid)
        .or_else(|| settings::username().and_then(|name| missing("role", &name, role_oid)))
}

unsafe extern "C-unwind" fn database_oid(name: *const i8, missing_ok: bool) -> pg_sys::Oid {
    // SAFETY: passes on what it was given.
    unsafe { pg_sys::get_database_oid(name, missing_ok) }
}

unsafe extern "C-unwind" fn role_oid(name: *const i8, missing_ok: bool) -> pg_sys::Oid {
    // SAFETY: passes on what it was given.
    unsafe { pg_sys::get_role_oid(name, missing_ok) }
}

/// Reads the configuration files again.
pub(super) fn reload_configuration() {
    // SAFETY: outside of any transaction, as Postgres' own processes do on SIGHUP.
    unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
}

/// Sets what the worker's statements depend on, whatever the role or the database has been given.
fn prepare_session() {
    let name = CString::new(format!("pg_net {VERSION}")).expect("a version holds no NUL");
    server::set_for_session(c"application_name", &name);
    for (setting, value) in [
        (c"search_path", c"pg_catalog, pg_temp"),
        (c"default_transaction_isolation", c"read committed"),
        (c"default_transaction_read_only", c"off"),
        // An error of one statement is no reason to end.
        (c"exit_on_error", c"off"),
        (c"statement_timeout", c"0"),
        (c"idle_in_transaction_session_timeout", c"0"),
        // Whoever holds a table locked must not keep the worker from answering to a signal.
        (c"lock_timeout", c"1s"),
        (c"row_security", c"off"),
        // The plans are for tables that grow and shrink a thousandfold between two looks of ANALYZE: always by the index.
        (c"plan_cache_mode", c"force_generic_plan"),
        (c"enable_indexscan", c"on"),
        (c"enable_seqscan", c"off"),
        (c"enable_bitmapscan", c"off"),
        (c"enable_sort", c"off"),
        (c"enable_hashjoin", c"off"),
        (c"enable_mergejoin", c"off"),
        (c"jit", c"off"),
    ] {
        server::set_for_session(setting, value);
    }
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    server::set_for_session(c"transaction_timeout", c"0");
    // A row that left the queue must not come back after a crash because its outcome had not reached the disk.
    if server::setting(c"synchronous_commit") == "off" {
        server::set_for_session(c"synchronous_commit", c"local");
    }
}
