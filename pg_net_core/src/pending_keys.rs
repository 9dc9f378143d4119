//! Row keys that commits have brought.

use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use crate::{Key, NEVER, Timestamp};

/// The range of row keys that commits have brought since the worker last read the queue, and the earliest time that one of them
/// waits for.
///
/// Row keys are given out before a transaction commits, so a commit may bring keys below ones that the worker has read past.
/// The range tells it how far to go back.
#[repr(C)]
pub struct PendingKeys {
    lowest: AtomicI64,
    highest: AtomicI64,
    due: AtomicI64,
}

const NONE: (Key, Key) = (Key::MAX, Key::MIN);

impl PendingKeys {
    /// Zeroes are not valid for this one: called once, before any other process has it.
    pub fn initialize(&mut self) {
        *self.lowest.get_mut() = NONE.0;
        *self.highest.get_mut() = NONE.1;
        *self.due.get_mut() = NEVER;
    }

    /// Notes that keys from `lowest` to `highest` may have come.
    pub fn note(&self, lowest: Key, highest: Key) {
        // The highest first: `take` reads in the other order, so that whenever it sees a lowest, the highest that belongs to
        // it has been written before.
        self.highest.fetch_max(highest, SeqCst);
        self.lowest.fetch_min(lowest, SeqCst);
    }

    /// Takes what has been noted.
    pub fn take(&self) -> Option<(Key, Key)> {
        let lowest = self.lowest.swap(NONE.0, SeqCst);
        if lowest == NONE.0 {
            return None;
        }
        let highest = self.highest.swap(NONE.1, SeqCst);
        // Another process may stand between its two writes: then its highest was taken by an earlier read, and this lowest
        // comes alone. How far it goes is unknown.
        Some((lowest, if highest == NONE.1 { Key::MAX } else { highest.max(lowest) }))
    }

    /// Notes that a row is due at this time, or that some are due at times unknown.
    pub fn note_due(&self, due: Timestamp) {
        self.due.fetch_min(due, SeqCst);
    }

    /// Takes the earliest of those times.
    pub fn take_due(&self) -> Option<Timestamp> {
        Some(self.due.swap(NEVER, SeqCst)).filter(|&due| due != NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> PendingKeys {
        let mut keys = PendingKeys { lowest: AtomicI64::new(0), highest: AtomicI64::new(0), due: AtomicI64::new(0) };
        keys.initialize();
        keys
    }

    #[test]
    fn commits_widen_the_range_until_it_is_taken() {
        let keys = empty();
        assert_eq!(keys.take(), None);
        keys.note(5, 9);
        keys.note(3, 4);
        assert_eq!(keys.take(), Some((3, 9)));
        assert_eq!(keys.take(), None);
    }

    #[test]
    fn a_commit_between_its_two_writes_is_not_missed() {
        let keys = empty();
        // The highest of a commit was taken with the range before, its lowest comes now.
        keys.lowest.store(7, SeqCst);
        assert_eq!(keys.take(), Some((7, Key::MAX)));
    }

    #[test]
    fn the_earliest_time_counts() {
        let keys = empty();
        assert_eq!(keys.take_due(), None);
        keys.note_due(20);
        keys.note_due(10);
        keys.note_due(30);
        assert_eq!(keys.take_due(), Some(10));
        assert_eq!(keys.take_due(), None);
    }
}
