//! Connecting to the database, without a restart every second where that cannot succeed.

use std::ffi::CString;
use std::time::Duration;

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;

use crate::pg::process::{bgworker, server};
use crate::pg::spi::internal;
use crate::settings::{self, unknown};
use crate::shmem::{self, ExitReason, HOME_DATABASE, Shared};

mod entry;
pub(super) mod read_only;

/// The worker's name among the sessions.
const NAME: &str = concat!("pg_net ", env!("CARGO_PKG_VERSION"));

/// How long the worker of `pg_net.database_name` waits at a time for another one to leave its database.
const TAKE_OVER: Duration = Duration::from_secs(1);

/// Whom the worker of `pg_net.database_name` serves, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Served {
    database: String,
    username: Option<String>,
}

impl Served {
    pub(super) fn by_settings() -> Self {
        Self { database: settings::database_name(), username: settings::username() }
    }
}

/// Connects the worker of `pg_net.database_name`. False if the process is to end, and be started again, instead.
///
/// A connection that fails ends the process with a FATAL error. The start after one waits until it is let in. So does one that
/// finds commands that need databases to themselves: it does not know by oid yet which one is its own. And so does one after
/// the last has made room for other databases.
pub(super) fn connect_home() -> bool {
    let shared = shmem::get();
    let home = &shared.home;
    let mut is_let_in = false;
    let mut may_enter = shared.wake_schedule.failures(HOME_DATABASE) == 0 && !home.has_made_room();
    loop {
        if may_enter {
            // From now on a command waits for this process; before, it was to be seen here.
            shared.home_slot().set_connecting(true);
            let blocked = &shared.blocked;
            if blocked.is_empty() || (is_let_in && home.is_database_known() && !blocked.contains(home.database())) {
                break;
            }
        }
        if !entry::wait() {
            return false;
        }
        (is_let_in, may_enter) = (true, true);
    }
    let Served { database, username } = Served::by_settings();
    BackgroundWorker::connect_worker_to_spi(Some(&database), username.as_deref());
    prepare_session(NAME);
    true
}

/// Connects a worker to the database that it was started for. False if it must not.
pub(super) fn connect_started() -> bool {
    let shared = shmem::get();
    let (database, role) = shared.my_slot().assignment();
    if shared.blocked.contains(database) {
        Shared::set_exit_reason(ExitReason::Again);
        return false;
    }
    BackgroundWorker::connect_worker_to_spi_by_oid(Some(database), Some(role));
    prepare_session(NAME);
    true
}

/// Waits until no other worker is in a database: one may have been started while the settings were others.
pub(super) fn take_over(database: pg_sys::Oid) {
    let shared = shmem::get();
    while !shared.my_slot().serves(database)
        && let Some(other) = shared.serving(database)
    {
        other.request_exit();
        shared.state_changed.wait_at_most(TAKE_OVER, || shared.serving(database).is_none());
        pgrx::check_for_interrupts!();
    }
}

/// Reads the configuration files again.
pub(super) fn reload_configuration() {
    bgworker::read_configuration();
    wait_for_the_disk();
}

/// Sets what the worker's statements depend on, whatever the role or the database has been given.
pub(super) fn prepare_session(name: &str) {
    let name = CString::new(name).expect("a name without a NUL");
    server::set_for_session(c"application_name", &name);
    for (setting, value) in [
        (c"search_path", c"pg_catalog, pg_temp"),
        (c"default_transaction_isolation", c"read committed"),
        // Where the database is read only, `read_only` sees to it that nothing is begun: what is under way is recorded.
        (c"default_transaction_read_only", c"off"),
        (c"default_transaction_deferrable", c"off"),
        // Triggers of users' fire, whatever role or database are for.
        (c"session_replication_role", c"origin"),
        // An error of one statement is no reason to end.
        (c"exit_on_error", c"off"),
        (c"statement_timeout", c"0"),
        (c"idle_in_transaction_session_timeout", c"0"),
        // A session that holds a table locked must not keep the worker from answering to a signal.
        (c"lock_timeout", c"1s"),
        // Where a session and the worker wait for each other, as both delete rows, it is the worker who finds out and gives up.
        (c"deadlock_timeout", c"100ms"),
        (c"row_security", c"off"),
        // A batch of large responses that goes through the executor may take more than its memory.
        (c"temp_file_limit", c"-1"),
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
    for (setting, value) in internal::SETTINGS {
        server::set_for_session_if_known(setting, value);
    }
    for timeout in [c"idle_session_timeout", c"transaction_timeout"] {
        server::set_for_session_if_known(timeout, c"0");
    }
    unknown::warn_of_given();
    wait_for_the_disk();
}

/// Has this session's commits wait for the disk at least: a row that left the queue must not come back after a crash because
/// that had not reached it. Where the configuration asks for more, more.
fn wait_for_the_disk() {
    server::reset_for_session(c"synchronous_commit");
    if server::setting(c"synchronous_commit") == "off" {
        server::set_for_session(c"synchronous_commit", c"local");
    }
}
