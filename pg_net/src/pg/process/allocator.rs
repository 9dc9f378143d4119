//! What the C library's allocator keeps of what was freed. Others than glibc's are left as they are.

/// Bounds it. By itself the allocator takes large blocks for the usual ones once some have been freed, and then keeps up to
/// 64 MiB at the end of each heap (mallopt(3), `M_MMAP_THRESHOLD`).
pub(crate) fn bound() {
    #[cfg(target_env = "gnu")]
    {
        use nix::libc::{M_MMAP_THRESHOLD, M_TRIM_THRESHOLD, c_int, mallopt};

        /// Bytes from which on a block is a mapping of its own, which goes back to the system as soon as it is freed. Such a
        /// block costs more; the blocks in which Postgres records a batch of usual replies are smaller.
        const OWN_MAPPING: c_int = 4 << 20;
        /// Free bytes at the end of a heap from which on they go back.
        const KEPT: c_int = 8 << 20;

        for (parameter, bytes) in [(M_MMAP_THRESHOLD, OWN_MAPPING), (M_TRIM_THRESHOLD, KEPT)] {
            // SAFETY: changes a number of the allocator's, under its lock; one that it refuses stays as it was.
            unsafe { mallopt(parameter, bytes) };
        }
    }
}

/// Gives back to the system what lies free between what is in use (malloc_trim(3)). Takes milliseconds where that is much.
pub(crate) fn give_back() {
    #[cfg(target_env = "gnu")]
    // SAFETY: touches only what is free, under the allocator's locks.
    unsafe {
        nix::libc::malloc_trim(0);
    }
}
