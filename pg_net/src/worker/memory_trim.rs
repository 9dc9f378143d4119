//! Giving memory back to the operating system.

use crate::pg::process::allocator;

/// Bytes that came and went after which memory is given back when nothing is under way.
const MUCH: usize = 16 << 20;
/// Bytes that a request and its reply take beside their bodies, about.
const BESIDE: usize = 1 << 10;

/// Bytes that came and went since memory was given back.
#[derive(Debug, Default)]
pub(super) struct MemoryTrim(usize);

impl MemoryTrim {
    /// The bodies of so many requests or responses came in, to be freed when they are dealt with.
    pub(super) fn pass(&mut self, count: usize, bytes: usize) {
        self.0 = self.0.saturating_add(bytes + count * BESIDE);
    }

    /// Called when idle: returns freed memory to the operating system.
    pub(super) fn idle(&mut self) {
        if self.0 >= MUCH {
            self.0 = 0;
            allocator::give_back();
        }
    }
}
