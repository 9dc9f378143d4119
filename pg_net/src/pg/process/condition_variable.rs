//! Condition variables in shared memory.

use std::cell::UnsafeCell;

use pgrx::pg_sys;

/// Something that processes wait for and one announces.
#[repr(transparent)]
pub(crate) struct ConditionVariable(UnsafeCell<pg_sys::ConditionVariable>);

// SAFETY: Postgres guards the variable by a spinlock of its own; processes, not threads, share it.
unsafe impl Sync for ConditionVariable {}

impl ConditionVariable {
    pub(crate) fn initialize(&mut self) {
        // SAFETY: memory of the right size that nothing else uses yet.
        unsafe { pg_sys::ConditionVariableInit(self.0.get()) };
    }

    /// Wakes all who wait.
    pub(crate) fn broadcast(&self) {
        // SAFETY: initialized before any process exists that could call this.
        unsafe { pg_sys::ConditionVariableBroadcast(self.0.get()) };
    }

    /// Waits until `done`. A cancelled statement or a terminated session ends the wait with its error.
    pub(crate) fn wait_until(&self, done: impl Fn() -> bool) {
        if done() {
            return;
        }
        // SAFETY: initialized as above. Preparing comes before the look, so that no announcement is missed; an error on the
        // way is cleaned up by the abort of the transaction.
        unsafe {
            pg_sys::ConditionVariablePrepareToSleep(self.0.get());
            while !done() {
                pg_sys::ConditionVariableSleep(self.0.get(), pg_sys::PG_WAIT_EXTENSION);
            }
            pg_sys::ConditionVariableCancelSleep();
        }
    }

    /// Like [`wait_until`](Self::wait_until), at most so long. Whether it was done in time.
    pub(crate) fn wait_at_most(&self, limit: std::time::Duration, done: impl Fn() -> bool) -> bool {
        let end = std::time::Instant::now() + limit;
        // SAFETY: as in `wait_until`.
        unsafe {
            pg_sys::ConditionVariablePrepareToSleep(self.0.get());
            loop {
                let left = end.saturating_duration_since(std::time::Instant::now());
                if done() || left.is_zero() {
                    break;
                }
                let milliseconds = left.as_micros().div_ceil(1000) as std::ffi::c_long;
                pg_sys::ConditionVariableTimedSleep(self.0.get(), milliseconds, pg_sys::PG_WAIT_EXTENSION);
            }
            pg_sys::ConditionVariableCancelSleep();
        }
        done()
    }
}
