//! A part of a transaction that may fail by itself.

use std::panic::AssertUnwindSafe;
use std::ptr;

use pgrx::pg_sys::panic::CaughtError;
use pgrx::{PgTryBuilder, pg_sys};

use crate::pg::last_error;

/// Runs `work` in a subtransaction, as PL/pgSQL runs a block with an exception clause. What fails is rolled back, and comes back as a
/// value; more of the error is to be had from [`last_error::take`].
pub(crate) fn attempt<R>(work: impl FnOnce() -> R) -> Result<R, Box<CaughtError>> {
    // SAFETY: within a transaction; plain variables of this process, set back below.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    // SAFETY: as above. A subtransaction brings a memory context of its own, which is left at once.
    unsafe {
        pg_sys::BeginInternalSubTransaction(ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
    }
    let result = PgTryBuilder::new(AssertUnwindSafe(|| Ok(last_error::watch(work))))
        .catch_others(|error| Err(Box::new(error)))
        .execute();
    // SAFETY: the subtransaction that was begun above is the current one, whether it failed or not.
    unsafe {
        match result {
            Ok(_) => pg_sys::ReleaseCurrentSubTransaction(),
            Err(_) => pg_sys::RollbackAndReleaseCurrentSubTransaction(),
        }
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    result
}
