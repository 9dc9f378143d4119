//! What one claim has read.

use engine::{Key, Outcome, Request};

#[derive(Default)]
pub(in crate::worker) struct Batch {
    pub(in crate::worker) claimed: Vec<Key>,
    /// Bytes of their bodies and headers.
    pub(in crate::worker) bytes: usize,
    /// Those of them that are sent at most once.
    pub(in crate::worker) to_take_out: Vec<Key>,
    pub(in crate::worker) requests: Vec<Request>,
    /// Requests that cannot be sent: the outcomes that they end with.
    pub(in crate::worker) failures: Vec<Outcome>,
    /// Whether there may be more to claim at once.
    pub(in crate::worker) more: bool,
}

impl Batch {
    /// A row that was claimed is not to be sent now.
    pub(in crate::worker) fn let_go(&mut self, key: Key) {
        self.to_take_out.retain(|&other| other != key);
        self.requests.retain(|request| request.key() != key);
        self.failures.retain(|outcome| outcome.key != key);
    }
}
