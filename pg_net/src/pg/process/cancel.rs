//! Cancelling, which is a signal: a `pg_cancel_backend`, or Postgres' own, when the `lock_timeout` of this process is
//! over.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};

use pgrx::pg_sys;

use super::signal;

/// Whether there is a transaction that a cancel could abort.
static CANCELLABLE: AtomicBool = AtomicBool::new(false);

/// Takes the signal from now on. Outside of [`Cancellable`] it is ignored, where it would end the process.
pub(crate) fn install() {
    // SAFETY: it reads an atomic, and does what Postgres' own handler does.
    unsafe { signal::handle(pg_sys::SIGINT, handle) };
}

/// Has SIGTERM end the process at the next moment at which it may be ended, whatever runs.
pub(crate) fn end_by_sigterm() {
    // SAFETY: Postgres' own handler, that of its sessions.
    unsafe { signal::handle(pg_sys::SIGTERM, terminate) };
}

unsafe extern "C-unwind" fn terminate(signal: i32) {
    // SAFETY: Postgres' own handler; signals come to the main thread alone.
    unsafe { pg_sys::die(signal) };
}

unsafe extern "C-unwind" fn handle(signal: i32) {
    if CANCELLABLE.load(SeqCst) {
        // SAFETY: Postgres' own handler; signals come to the main thread alone.
        unsafe { pg_sys::StatementCancelHandler(signal) };
    }
}

/// While it lives, a cancel aborts the statement that runs.
pub(crate) struct Cancellable(());

impl Cancellable {
    pub(crate) fn new() -> Self {
        CANCELLABLE.store(true, SeqCst);
        Self(())
    }
}

impl Drop for Cancellable {
    fn drop(&mut self) {
        CANCELLABLE.store(false, SeqCst);
        // One that came too late has nothing to abort.
        // SAFETY: a variable of this process, which only the handler sets, and that no more.
        unsafe { pg_sys::QueryCancelPending = 0 };
    }
}
