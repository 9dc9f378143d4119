use pgrx::pg_sys;

/// Until dropped, statements that only read see what has been committed by now, whatever the isolation level of the
/// transaction, and what the transaction itself did before.
pub(crate) struct Latest(());

impl Latest {
    pub(crate) fn new() -> Self {
        // SAFETY: within a transaction; `Drop`, or the abort after an error, takes it off again.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        Self(())
    }
}

impl Drop for Latest {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            // SAFETY: pushed by `new`; what was pushed later has been popped, as guards and statements nest.
            unsafe { pg_sys::PopActiveSnapshot() };
        }
    }
}
