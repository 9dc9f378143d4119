//! What one claim has read.

use engine::{Key, Outcome, Request};

#[derive(Default)]
pub(super) struct Batch {
    pub(super) claimed: Vec<Key>,
    /// Bytes of their bodies and headers.
    pub(super) bytes: usize,
    /// Those of them that are sent at most once.
    pub(super) to_take_out: Vec<Key>,
    pub(super) requests: Vec<Request>,
    pub(super) failures: Vec<Outcome>,
}

impl Batch {
    /// A row that was claimed is not to be sent now.
    pub(super) fn let_go(&mut self, key: Key) {
        self.to_take_out.retain(|&other| other != key);
        self.requests.retain(|request| request.key() != key);
        self.failures.retain(|outcome| outcome.key != key);
    }
}
