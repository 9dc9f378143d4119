use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// How often rows were taken out of a database's queue by others than its worker: by DELETE, TRUNCATE, or DROP.
///
/// Counted when such a transaction commits, before its session hears of the commit. From then on the worker's engine starts
/// nothing that waits, until the worker has seen which of its claimed rows are gone.
#[repr(C)]
pub(crate) struct Removals {
    count: AtomicU64,
    /// How often the queue was truncated.
    emptied: AtomicU64,
}

impl Removals {
    /// A transaction has committed that may have removed rows. Cannot raise.
    pub(crate) fn note(&self, emptied: bool) {
        // Before the count: who sees that sees this.
        if emptied {
            self.emptied.fetch_add(1, SeqCst);
        }
        self.count.fetch_add(1, SeqCst);
    }

    pub(crate) fn count(&self) -> u64 {
        self.count.load(SeqCst)
    }

    /// How often the queue was truncated. Such a transaction is counted before its lock on the queue is released: who looks
    /// with a lock of its own misses none.
    pub(crate) fn emptied(&self) -> u64 {
        self.emptied.load(SeqCst)
    }
}
