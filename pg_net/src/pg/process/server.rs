//! What kind of process this is and where.

use pgrx::pg_sys;

/// Whether `pg_upgrade` runs this server.
pub(crate) fn in_binary_upgrade() -> bool {
    // SAFETY: a plain variable, set before any library is loaded.
    unsafe { pg_sys::IsBinaryUpgrade }
}

/// Whether the postmaster is loading `shared_preload_libraries`.
pub(crate) fn preloading() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::process_shared_preload_libraries_in_progress }
}

/// Files that one process may have open, by the server's setting `max_files_per_process`.
pub(crate) fn max_files() -> usize {
    // SAFETY: a plain variable, set when the server starts.
    unsafe { pg_sys::max_files_per_process as usize }
}

/// The database that this process is connected to; invalid where it is connected to none.
pub(crate) fn my_database() -> pg_sys::Oid {
    // SAFETY: a plain variable of this process, set once when it connects.
    unsafe { pg_sys::MyDatabaseId }
}

/// Whether this process is in a transaction, in a database.
pub(crate) fn is_in_transaction() -> bool {
    // SAFETY: plain variables of this process.
    unsafe { pg_sys::IsTransactionState() && pg_sys::MyDatabaseId != pg_sys::InvalidOid }
}

/// The process id of this process.
pub(crate) fn my_pid() -> i32 {
    // SAFETY: a plain variable of this process, set when it starts.
    unsafe { pg_sys::MyProcPid }
}

/// How many processes that can run a statement there may be at once; their places among the server's processes are below
/// this number.
pub(crate) fn most_processes() -> usize {
    #[cfg(not(any(feature = "pg13", feature = "pg14")))]
    // SAFETY: a plain variable, set in the postmaster before the first shared memory is asked for.
    unsafe {
        pg_sys::MaxBackends as usize
    }
    #[cfg(any(feature = "pg13", feature = "pg14"))]
    {
        // Libraries are preloaded before Postgres has reckoned it up. It adds the launcher of autovacuum.
        [c"max_connections", c"autovacuum_max_workers", c"max_worker_processes", c"max_wal_senders"]
            .iter()
            .map(|name| setting(name).parse::<usize>().unwrap_or_default())
            .sum::<usize>()
            + 1
    }
}

/// Whether a transaction is the one that runs in this process, or one of its subtransactions.
pub(crate) fn is_my_transaction(transaction: pg_sys::TransactionId) -> bool {
    // SAFETY: reads what this process knows of its own transaction.
    unsafe { pg_sys::TransactionIdIsCurrentTransactionId(transaction) }
}

/// The port that the server listens on.
pub(crate) fn port() -> Option<u16> {
    // SAFETY: a plain variable, set before any backend exists.
    u16::try_from(unsafe { pg_sys::PostPortNumber }).ok()
}

/// Has the postmaster, and through it every process, read the configuration files again.
///
/// Safe in a commit callback: it cannot raise. A postmaster that is gone needs no reload.
pub(crate) fn reload_configuration() {
    // SAFETY: a plain variable, set before any backend exists.
    let postmaster = unsafe { pg_sys::PostmasterPid };
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(postmaster), nix::sys::signal::Signal::SIGHUP);
}

/// Has the postmaster look whether a worker is to be started.
///
/// Up to Postgres 15, an exit that reaches the postmaster just before it goes to sleep does not shorten that sleep, which
/// takes up to a minute; any signal does. Safe in a commit callback: it cannot raise.
pub(crate) fn nudge_postmaster() {
    // SAFETY: a plain variable, set before any backend exists.
    let postmaster = unsafe { pg_sys::PostmasterPid };
    let _ = nix::sys::signal::kill(nix::unistd::Pid::from_raw(postmaster), nix::sys::signal::Signal::SIGUSR1);
}

/// Sets a setting for this session.
pub(crate) fn set_for_session(name: &std::ffi::CStr, value: &std::ffi::CStr) {
    // SAFETY: both are C strings that Postgres copies.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
        );
    }
}

/// The same, where a library that has this setting is loaded.
pub(crate) fn set_for_session_if_known(name: &std::ffi::CStr, value: &std::ffi::CStr) {
    if is_known(name) {
        set_for_session(name, value);
    }
}

/// Whether there is a setting of this name.
pub(crate) fn is_known(name: &std::ffi::CStr) -> bool {
    // SAFETY: a C string; the answer is null for an unknown setting.
    unsafe { !pg_sys::GetConfigOption(name.as_ptr(), true, false).is_null() }
}

/// Takes back what was set for this session.
pub(crate) fn reset_for_session(name: &std::ffi::CStr) {
    // SAFETY: a C string; without a value the setting goes back to what configuration, database and role have it at.
    unsafe {
        pg_sys::SetConfigOption(
            name.as_ptr(),
            std::ptr::null(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
        );
    }
}

/// Sets a setting, whatever its context, for the level of settings that was begun last.
pub(crate) fn set_for_level(name: &std::ffi::CStr, value: &std::ffi::CStr) {
    // SAFETY: both are C strings that Postgres copies.
    unsafe {
        pg_sys::set_config_option(
            name.as_ptr(),
            value.as_ptr(),
            pg_sys::GucContext::PGC_SUSET,
            pg_sys::GucSource::PGC_S_SESSION,
            pg_sys::GucAction::GUC_ACTION_SAVE,
            true,
            0,
            false,
        );
    }
}

/// A setting's value as text.
pub(crate) fn setting(name: &std::ffi::CStr) -> String {
    // SAFETY: a C string; the answer is one that stays until the setting changes, or null for an unknown setting.
    unsafe {
        let value = pg_sys::GetConfigOption(name.as_ptr(), true, false);
        if value.is_null() { String::new() } else { std::ffi::CStr::from_ptr(value).to_string_lossy().into_owned() }
    }
}

/// How many processes of its kind the server can have: `max_worker_processes`.
pub(crate) fn max_worker_processes() -> i32 {
    // SAFETY: a plain variable, set before any process exists.
    unsafe { pg_sys::max_worker_processes }
}

/// Whether the transaction that runs must not write.
pub(crate) fn is_read_only() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::XactReadOnly }
}

/// Whether this session plays a replica, as logical replication and some tools of dumps do.
pub(crate) fn is_replica() -> bool {
    // SAFETY: a plain variable of this process.
    unsafe { pg_sys::SessionReplicationRole == pg_sys::SESSION_REPLICATION_ROLE_REPLICA as i32 }
}

/// Whether the server is a standby, or recovers: it is read-only.
pub(crate) fn is_in_recovery() -> bool {
    // SAFETY: reads shared memory of Postgres'.
    unsafe { pg_sys::RecoveryInProgress() }
}

/// Which database this is, among those of all servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DatabaseIdentity(pub(crate) i64);

impl DatabaseIdentity {
    /// That of the database that this process is connected to.
    pub(crate) fn of_this_database() -> Self {
        // SAFETY: reads shared memory of Postgres'.
        let server = unsafe { pg_sys::GetSystemIdentifier() };
        // The upper half of a server's identifier is the second in which it was made.
        Self(server as i64 ^ i64::from(my_database().to_u32()))
    }

    /// Its server's part, where the oid of the database is known.
    pub(crate) fn server(self, database: pg_sys::Oid) -> i64 {
        self.0 ^ i64::from(database.to_u32())
    }
}
