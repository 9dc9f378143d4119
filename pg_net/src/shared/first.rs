use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

/// What the first worker, which starts with the server, leaves for the process that comes after it.
#[repr(C)]
pub(crate) struct First {
    /// How many starts in a row have not come to run.
    failed_starts: AtomicU32,
    /// Whether a start that looked from outside found that the next one can connect.
    looked: AtomicBool,
}

impl First {
    /// Counts a start, until [`succeed`](Self::succeed) says that it came to run. Gives how many before it did not.
    pub(crate) fn count_start(&self) -> u32 {
        self.failed_starts.fetch_add(1, SeqCst)
    }

    /// The worker came to run.
    pub(crate) fn succeed(&self) {
        self.failed_starts.store(0, SeqCst);
    }

    /// A look from outside found that a connection can succeed.
    pub(crate) fn set_looked(&self) {
        self.looked.store(true, SeqCst);
    }

    /// Whether there was such a look since the last call.
    pub(crate) fn take_looked(&self) -> bool {
        self.looked.swap(false, SeqCst)
    }
}
