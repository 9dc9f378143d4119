//! Processes that are started while the server runs.

use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorkerBuilder;
use pgrx::pg_sys;

use super::wait::wait_for_latch;
use super::wait_event::WaitEvent;

/// A process that this one has asked the postmaster for. This process' latch is set when it starts and when it ends.
pub(crate) struct Process {
    handle: *mut pg_sys::BackgroundWorkerHandle,
}

impl Process {
    /// Asks for one; `None` where `max_worker_processes` leaves no room. Outside of any transaction, so that the handle stays.
    pub(crate) fn start(builder: BackgroundWorkerBuilder) -> Option<Self> {
        // SAFETY: a plain variable, set when this process started.
        let builder = builder.set_notify_pid(unsafe { pg_sys::MyProcPid });
        let mut worker = pg_sys::BackgroundWorker::from(&builder);
        let mut handle = std::ptr::null_mut();
        // SAFETY: both pointers are to values that live through the call; the handle is set where the answer is true.
        let registered = unsafe { pg_sys::RegisterDynamicBackgroundWorker(&mut worker, &mut handle) };
        registered.then(|| Self { handle })
    }

    /// Whether it has ended, or could not start.
    pub(crate) fn has_ended(&self) -> bool {
        let mut pid = 0;
        // SAFETY: the handle is the one that Postgres gave.
        let status = unsafe { pg_sys::GetBackgroundWorkerPid(self.handle, &mut pid) };
        status == pg_sys::BgwHandleStatus::BGWH_STOPPED
    }

    /// Ends it, and waits until it has ended, at most so long.
    pub(crate) fn end(self, most: Duration) {
        // SAFETY: the handle is the one that Postgres gave.
        unsafe { pg_sys::TerminateBackgroundWorker(self.handle) };
        let until = Instant::now() + most;
        while !self.has_ended() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            wait_for_latch(WaitEvent::ProcessEnd, left);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // SAFETY: allocated by Postgres for the caller to free; nothing else refers to it.
        unsafe { pg_sys::pfree(self.handle.cast()) };
    }
}
