//! Signal handlers, as Postgres' own processes set them.

use pgrx::pg_sys;

/// Has this process handle a signal by a function.
///
/// # Safety
///
/// The function must be one that a signal handler may run.
pub(in crate::pg) unsafe fn handle(signal: u32, handler: unsafe extern "C-unwind" fn(i32)) {
    // SAFETY: by the caller's promise; functions of this library stay, it is never unloaded.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        pg_sys::pqsignal(signal as i32, Some(handler));
        #[cfg(feature = "pg18")]
        pg_sys::pqsignal_be(signal as i32, Some(handler));
    }
}
