//! What a session leaves in shared memory about itself is cleared when its transaction ends, however it does.

use pgrx::pg_sys::XactEvent;
use pgrx::{pg_guard, pg_sys};

use crate::shared::waiters;

/// Registers the callback. Called once, while the library is preloaded; backends inherit it.
pub(crate) fn install() {
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
}

/// An error here would take the server down, but for the event before PREPARE.
#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: XactEvent::Type, _argument: *mut std::ffi::c_void) {
    if matches!(event, XactEvent::XACT_EVENT_COMMIT | XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE) {
        waiters::end();
    }
}
