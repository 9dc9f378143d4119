//! What a session leaves in shared memory about itself is cleared when its transaction ends, however it does.

use pgrx::pg_sys::XactEvent;
use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};

use crate::pg::SqlError;
use crate::shmem::{cancellations, waiters};

/// Registers the callback. Called once, while the library is preloaded; backends inherit it.
pub(crate) fn install() {
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
}

/// An error here would take the server down, but for the event before PREPARE. A prepared transaction outlives the session
/// that counts it among those that take requests back, and even the server.
#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: XactEvent::Type, _argument: *mut std::ffi::c_void) {
    match event {
        XactEvent::XACT_EVENT_PRE_PREPARE if cancellations::is_open_here() => SqlError::new(
            PgSqlErrorCode::ERRCODE_FEATURE_NOT_SUPPORTED,
            "cannot prepare a transaction that has called net.cancel",
        )
        .hint("Commit it, or take requests back in a transaction of their own.")
        .raise(),
        XactEvent::XACT_EVENT_COMMIT | XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE => {
            waiters::end();
            cancellations::end(event == XactEvent::XACT_EVENT_COMMIT);
        }
        _ => {}
    }
}
