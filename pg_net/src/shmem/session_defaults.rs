use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// Counts how often ALTER DATABASE and ALTER ROLE have changed what sessions are given that workers go by.
#[repr(C)]
pub(crate) struct SessionDefaults(AtomicU64);

impl SessionDefaults {
    pub(super) fn change(&self) {
        self.0.fetch_add(1, SeqCst);
    }

    pub(crate) fn count(&self) -> u64 {
        self.0.load(SeqCst)
    }
}
