use std::ffi::CStr;
use std::ptr;
use std::slice;
use std::sync::atomic::{AtomicPtr, Ordering::SeqCst};

use pgrx::pg_sys;

use crate::pg::process::server;

/// A piece of shared memory with a `T` for each process that can run a statement, found by its place among the server's
/// processes, and a `C` for all of them. Both start as zeroes, so they are to be made of atomics.
pub(super) struct PerProcess<C, T> {
    name: &'static CStr,
    piece: AtomicPtr<Piece<C, T>>,
}

#[repr(C)]
struct Piece<C, T> {
    common: C,
    each: [T; 0],
}

impl<C: Sync + 'static, T: Sync + 'static> PerProcess<C, T> {
    pub(super) const fn new(name: &'static CStr) -> Self {
        Self { name, piece: AtomicPtr::new(ptr::null_mut()) }
    }

    /// How many bytes to ask for.
    pub(super) fn size(&self) -> usize {
        size_of::<Piece<C, T>>() + server::most_processes() * size_of::<T>()
    }

    /// Makes the piece, and again after a crash.
    ///
    /// # Safety
    ///
    /// In the postmaster, when it makes the shared memory.
    pub(super) unsafe fn make(&self) {
        let mut found = false;
        // SAFETY: the memory is as large as `size` says, and aligned for any type.
        unsafe {
            let piece = pg_sys::ShmemInitStruct(self.name.as_ptr(), self.size(), &mut found);
            if !found {
                ptr::write_bytes(piece.cast::<u8>(), 0, self.size());
            }
            self.piece.store(piece.cast(), SeqCst);
        }
    }

    fn piece(&self) -> *const Piece<C, T> {
        let piece = self.piece.load(SeqCst);
        assert!(!piece.is_null(), "pg_net's shared memory is not set up");
        piece
    }

    /// What all processes have in common.
    pub(super) fn common(&self) -> &'static C {
        // SAFETY: set once to memory that stays until the server ends; everything in it may be shared.
        unsafe { &(*self.piece()).common }
    }

    /// What each process has, by its place.
    pub(super) fn each(&self) -> &'static [T] {
        // SAFETY: as in `common`; behind the common part there are as many as `size` reckoned with.
        unsafe { slice::from_raw_parts((&raw const (*self.piece()).each).cast(), server::most_processes()) }
    }
}
