//! What the bindings lose of an error of Postgres' when they make a panic of it: a SQLSTATE of the user's own, and the
//! context, which says where in a user's function it came up.

use std::cell::{RefCell, UnsafeCell};
use std::ffi::{CStr, c_int, c_void};
use std::ptr;

use pgrx::{pg_guard, pg_sys};

/// An error as it was raised.
#[derive(Clone, Debug, Default)]
pub(crate) struct LastError {
    /// As Postgres packs it.
    pub(crate) sqlstate: c_int,
    pub(crate) context: String,
}

struct Callback(UnsafeCell<pg_sys::ErrorContextCallback>);

thread_local! {
    static LAST: RefCell<Option<LastError>> = const { RefCell::new(None) };
    static CALLBACK: Callback = const {
        Callback(UnsafeCell::new(pg_sys::ErrorContextCallback {
            previous: ptr::null_mut(),
            callback: Some(keep),
            arg: ptr::null_mut(),
        }))
    };
}

/// Runs something, and keeps the last error that came up meanwhile for [`take`].
pub(crate) fn watch<R>(run: impl FnOnce() -> R) -> R {
    /// Takes the callback off also where the error goes on.
    struct Watch(*mut pg_sys::ErrorContextCallback);
    impl Drop for Watch {
        fn drop(&mut self) {
            // SAFETY: what was put on the stack meanwhile has been taken off: callbacks nest, as calls do, and who catches an error sets
            // the stack back.
            unsafe { pg_sys::error_context_stack = self.0 };
        }
    }
    LAST.set(None);
    let callback = CALLBACK.with(|callback| callback.0.get());
    // SAFETY: the callback lives as long as the process' one thread that raises errors. Where it is on the stack already, it stays as it is.
    let _watch = unsafe {
        let before = pg_sys::error_context_stack;
        if !is_on_stack(callback) {
            (*callback).previous = before;
            pg_sys::error_context_stack = callback;
        }
        Watch(before)
    };
    run()
}

/// # Safety
///
/// On the main thread.
unsafe fn is_on_stack(callback: *mut pg_sys::ErrorContextCallback) -> bool {
    // SAFETY: a linked list that ends with null.
    unsafe {
        let mut at = pg_sys::error_context_stack;
        while !at.is_null() && at != callback {
            at = (*at).previous;
        }
        !at.is_null()
    }
}

/// The last error that came up in what was watched.
pub(crate) fn take() -> Option<LastError> {
    LAST.take()
}

/// Called by Postgres while it puts a message of whatever level together, after all others that add to its context.
#[pg_guard]
unsafe extern "C-unwind" fn keep(_argument: *mut c_void) {
    // SAFETY: there is a message, in the making; its copy is made outside of the memory that messages are made in, and freed again.
    unsafe {
        let before = pg_sys::MemoryContextSwitchTo(pg_sys::TopMemoryContext);
        let error = pg_sys::CopyErrorData();
        pg_sys::MemoryContextSwitchTo(before);
        if (*error).elevel >= pgrx::PgLogLevel::ERROR as c_int {
            let context = (*error).context;
            let context =
                if context.is_null() { String::new() } else { CStr::from_ptr(context).to_string_lossy().into_owned() };
            LAST.set(Some(LastError { sqlstate: (*error).sqlerrcode, context }));
        }
        pg_sys::FreeErrorData(error);
    }
}
