//! What our own processes do beside their work: how they are described to the postmaster, how they begin, how they end.

use std::cell::Cell;

use pgrx::bgworkers::{BackgroundWorkerBuilder, BgWorkerStartTime};
use pgrx::{pg_guard, pg_sys};

use super::signal;

/// What all processes of ours have in common, but for what they are connected to: they run while the server takes writes.
pub(crate) fn builder(name: &str, function: &str) -> BackgroundWorkerBuilder {
    BackgroundWorkerBuilder::new(name)
        .set_library("pg_net")
        .set_function(function)
        .set_start_time(BgWorkerStartTime::RecoveryFinished)
}

thread_local! {
    static AT_EXIT: Cell<Option<fn(i32)>> = const { Cell::new(None) };
}

/// Has a function run when this process ends, however it does, with its pid as argument. One function a process.
pub(crate) fn at_exit(function: fn(i32)) {
    AT_EXIT.set(Some(function));
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::before_shmem_exit(Some(exiting), pg_sys::Datum::from(pg_sys::MyProcPid)) };
}

#[pg_guard]
unsafe extern "C-unwind" fn exiting(_code: i32, pid: pg_sys::Datum) {
    if let Some(function) = AT_EXIT.get() {
        function(pid.value() as i32);
    }
}

/// Ends this process. Any other code than 0 has the postmaster start the process again, if it is one that it restarts.
pub(crate) fn end(code: i32) -> ! {
    // SAFETY: ends the process by the way that runs the callbacks.
    unsafe { pg_sys::proc_exit(code) };
    #[cfg(feature = "pg18")]
    unreachable!("proc_exit does not return");
}

/// Reads the configuration files again. Outside of any transaction.
pub(crate) fn read_configuration() {
    // SAFETY: as Postgres' own processes do on SIGHUP.
    unsafe { pg_sys::ProcessConfigFile(pg_sys::GucContext::PGC_SIGHUP) };
}

/// Connects this process to the shared catalogs and to no database. Allowed once, as the first thing.
pub(crate) fn connect_to_shared_catalogs() {
    // SAFETY: null names are what asks for that.
    unsafe { pg_sys::BackgroundWorkerInitializeConnection(std::ptr::null(), std::ptr::null(), 0) };
}

/// Has the postmaster's word of started and ended processes set this process' latch, which it does by itself only where the
/// process can connect to databases.
pub(crate) fn hear_of_processes() {
    // SAFETY: it does what Postgres' own handler does, and nothing else.
    unsafe { signal::handle(pg_sys::SIGUSR1, set_latch) };
}

unsafe extern "C-unwind" fn set_latch(signal: i32) {
    // SAFETY: Postgres' own handler, that of its sessions; signals come to the main thread alone. Where the process has no place
    // among those that are told of things, it only sets the latch.
    unsafe { pg_sys::procsignal_sigusr1_handler(signal) };
}
