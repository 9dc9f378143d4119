//! What the worker waits on: its latch, the engine's eventfd, and the postmaster's death.

use std::os::fd::AsRawFd;
use std::ptr;
use std::time::Duration;

use pgrx::pg_sys;

use super::wait_event::WaitEvent;

/// A set of things to wait for, made once for the life of the process.
pub(crate) struct WaitSet {
    set: *mut pg_sys::WaitEventSet,
}

impl WaitSet {
    /// The process' latch, the postmaster's death, which ends the process, and `event`, which must stay open.
    pub(crate) fn new(event: &impl AsRawFd) -> Self {
        // SAFETY: the set lives in memory that is never freed; latch and descriptor live as long as the process.
        unsafe {
            #[cfg(not(any(feature = "pg17", feature = "pg18")))]
            let owner = pg_sys::TopMemoryContext;
            // No resource owner: the set is not the business of any transaction.
            #[cfg(any(feature = "pg17", feature = "pg18"))]
            let owner = ptr::null_mut();
            let set = pg_sys::CreateWaitEventSet(owner, 3);
            let no_fd = pg_sys::PGINVALID_SOCKET as pg_sys::pgsocket;
            pg_sys::AddWaitEventToSet(set, pg_sys::WL_LATCH_SET, no_fd, pg_sys::MyLatch, ptr::null_mut());
            pg_sys::AddWaitEventToSet(set, pg_sys::WL_EXIT_ON_PM_DEATH, no_fd, ptr::null_mut(), ptr::null_mut());
            pg_sys::AddWaitEventToSet(
                set,
                pg_sys::WL_SOCKET_READABLE,
                event.as_raw_fd(),
                ptr::null_mut(),
                ptr::null_mut(),
            );
            Self { set }
        }
    }

    /// Waits until something happens or the time is up; with no time, however long it takes. Resets the latch. Whether `event`
    /// has become readable.
    pub(crate) fn wait(&self, timeout: Option<Duration>) -> bool {
        let mut event = pg_sys::WaitEvent::default();
        // SAFETY: room for the one event that is asked for; the latch is this process' own.
        unsafe {
            pg_sys::WaitEventSetWait(self.set, milliseconds(timeout), &mut event, 1, WaitEvent::Worker.id());
            pg_sys::ResetLatch(pg_sys::MyLatch);
        }
        event.events & pg_sys::WL_SOCKET_READABLE != 0
    }
}

/// Waits for this process' latch alone, at most so long; with no time, however long it takes. Others see
/// `what` it waits for.
pub(crate) fn wait_for_latch(what: WaitEvent, timeout: impl Into<Option<Duration>>) {
    let timeout = timeout.into();
    let or_timeout = if timeout.is_some() { pg_sys::WL_TIMEOUT } else { 0 };
    let flags = pg_sys::WL_LATCH_SET | pg_sys::WL_EXIT_ON_PM_DEATH | or_timeout;
    // SAFETY: the latch is this process' own.
    unsafe {
        pg_sys::WaitLatch(pg_sys::MyLatch, flags as i32, milliseconds(timeout) as _, what.id());
        pg_sys::ResetLatch(pg_sys::MyLatch);
    }
}

/// A timeout as Postgres takes it. Rounded up: a wait that ends a moment early would find nothing to do, and wait again.
fn milliseconds(timeout: Option<Duration>) -> i64 {
    timeout.map_or(-1, |timeout| timeout.as_micros().div_ceil(1000).min(i32::MAX as u128) as i64)
}
