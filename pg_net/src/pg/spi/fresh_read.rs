//! A look at the tables that stands apart from the transaction that it is made in.

use std::panic::AssertUnwindSafe;
use std::ptr;

use pgrx::{PgTryBuilder, pg_sys};

use super::internal::Internal;
use super::plan::Session;

/// Runs `work`, whose statements with [`Access::Read`](super::plan::Access::Read) see what is committed now, also where the
/// transaction goes on seeing what was committed when it began. It leaves no lock behind: who waits for a response must not
/// hold up a TRUNCATE, and behind it the worker. What `work` makes in the current memory context stays.
pub(crate) fn look<R>(work: impl FnOnce(&Session) -> R) -> R {
    // A subtransaction that is rolled back, as PL/pgSQL runs a block with an exception clause.
    // SAFETY: within a transaction; plain variables of this process, set back below.
    let (context, owner) = unsafe { (pg_sys::CurrentMemoryContext, pg_sys::CurrentResourceOwner) };
    // SAFETY: as above. A subtransaction brings a memory context of its own, which is left at once.
    unsafe {
        pg_sys::BeginInternalSubTransaction(ptr::null());
        pg_sys::MemoryContextSwitchTo(context);
    }
    let result = PgTryBuilder::new(AssertUnwindSafe(|| {
        let internal = Internal::new();
        // By the index, however small the tables were when the statements were planned. Where there is no index, costs that say
        // so are no reason to compile. What a role may not see is left out, and no error.
        for (name, value) in
            [(c"enable_seqscan", c"off"), (c"enable_bitmapscan", c"off"), (c"jit", c"off"), (c"row_security", c"on")]
        {
            internal.set(name, value);
        }
        // SAFETY: a snapshot of this very moment, active while `work` runs; an error has the rollback take it away.
        unsafe { pg_sys::PushActiveSnapshot(pg_sys::GetLatestSnapshot()) };
        let session = Session::connect();
        let result = work(&session);
        drop(session);
        // SAFETY: pushed above.
        unsafe { pg_sys::PopActiveSnapshot() };
        drop(internal);
        Ok(result)
    }))
    .catch_others(|error| Err(Box::new(error)))
    .execute();
    // SAFETY: the subtransaction that was begun above is the current one, whether it failed or not.
    unsafe {
        pg_sys::RollbackAndReleaseCurrentSubTransaction();
        pg_sys::MemoryContextSwitchTo(context);
        pg_sys::CurrentResourceOwner = owner;
    }
    result.unwrap_or_else(|error| error.rethrow())
}
