//! What code of users leaves behind in a worker beyond the transaction that it ran in: the next one is another request's.

use std::panic::AssertUnwindSafe;

use pgrx::{PgTryBuilder, pg_sys};

unsafe extern "C-unwind" {
    /// Not among the bindings.
    fn Async_UnlistenAll();
}

/// `USER_LOCKMETHOD` of Postgres' lock.h.
const ADVISORY: pg_sys::LOCKMETHODID = 2;

/// Does what DISCARD ALL does, but for the settings, which are ours. Outside of any transaction.
pub(in crate::pg) fn remove() {
    let removed = PgTryBuilder::new(AssertUnwindSafe(|| {
        // SAFETY: the order of DISCARD ALL, in a transaction of its own; an error on the way ends in the abort below.
        unsafe {
            pg_sys::StartTransactionCommand();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
            pg_sys::PortalHashTableDeleteAll();
            pg_sys::DropAllPreparedStatements();
            pg_sys::ffi::pg_guard_ffi_boundary(|| Async_UnlistenAll());
            pg_sys::LockReleaseAll(ADVISORY, true);
            pg_sys::ResetTempTableNamespace();
            pg_sys::PopActiveSnapshot();
            pg_sys::CommitTransactionCommand();
        }
        Ok(())
    }))
    .catch_others(|_| Err(()))
    .execute();
    if removed.is_err() {
        // SAFETY: the transaction failed.
        unsafe { pg_sys::AbortCurrentTransaction() };
        pgrx::warning!("pg_net: could not remove what a trigger has left behind in the worker");
    }
}
