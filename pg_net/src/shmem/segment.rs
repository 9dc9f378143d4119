//! How the piece comes to be: asked for while the library is preloaded, made by the postmaster, and again after a crash.

use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::{pg_guard, pg_sys};

use super::Shared;
use super::cancellations::CANCELS;
use super::waiters::WAITERS;
use super::worker_calls::CALLS;

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// The shared piece; set up before any process that could ask for it exists.
pub(crate) fn get() -> &'static Shared {
    let shared = SHARED.load(SeqCst);
    assert!(!shared.is_null(), "pg_net's shared memory is not set up");
    // SAFETY: set once by `startup` to memory that stays until the server ends; everything in it may be shared.
    unsafe { &*shared }
}

/// Asks for the shared memory. Called once, while the library is preloaded.
pub(crate) fn reserve() {
    // SAFETY: the hooks are set in the postmaster before it makes the shared memory; each calls the one before it.
    unsafe {
        #[cfg(any(feature = "pg13", feature = "pg14"))]
        pg_sys::RequestAddinShmemSpace(size());
        #[cfg(not(any(feature = "pg13", feature = "pg14")))]
        {
            NEXT_REQUEST = pg_sys::shmem_request_hook;
            pg_sys::shmem_request_hook = Some(request);
        }
        NEXT_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(startup);
    }
}

fn size() -> usize {
    size_of::<Shared>() + WAITERS.size() + CALLS.size() + CANCELS.size()
}

type Hook = Option<unsafe extern "C-unwind" fn()>;
#[cfg(not(any(feature = "pg13", feature = "pg14")))]
static mut NEXT_REQUEST: Hook = None;
static mut NEXT_STARTUP: Hook = None;

#[cfg(not(any(feature = "pg13", feature = "pg14")))]
#[pg_guard]
unsafe extern "C-unwind" fn request() {
    // SAFETY: only the postmaster runs this, once; the hook before ours is called as Postgres would.
    unsafe {
        if let Some(next) = NEXT_REQUEST {
            pg_guard_ffi_boundary(|| next());
        }
        pg_sys::RequestAddinShmemSpace(size());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn startup() {
    // SAFETY: as in `request`. The memory is zeroed, large enough, and aligned for any type; after a crash it is made again.
    unsafe {
        if let Some(next) = NEXT_STARTUP {
            pg_guard_ffi_boundary(|| next());
        }
        let mut found = false;
        let shared = pg_sys::ShmemInitStruct(c"pg_net".as_ptr(), size_of::<Shared>(), &mut found).cast::<Shared>();
        if !found {
            ptr::write_bytes(shared, 0, 1);
            (*shared).initialize();
        }
        SHARED.store(shared, SeqCst);
        WAITERS.make();
        CALLS.make();
        CANCELS.make();
    }
}
