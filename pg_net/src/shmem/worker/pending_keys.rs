use std::sync::atomic::{AtomicI64, Ordering::SeqCst};

use engine::Key;

use crate::pg::types::clock::{NEVER, Timestamp};

/// The range of row keys that commits have brought since the worker last looked, and the earliest time that one of them
/// waits for.
///
/// Row keys are given out before a transaction commits, so a commit may bring keys below ones that the worker has read past.
/// The notes tell it how far to go back.
#[repr(C)]
pub(crate) struct Notes {
    lowest: AtomicI64,
    highest: AtomicI64,
    due: AtomicI64,
}

const NONE: (Key, Key) = (Key::MAX, Key::MIN);

impl Notes {
    pub(in crate::shmem) fn initialize(&mut self) {
        *self.lowest.get_mut() = NONE.0;
        *self.highest.get_mut() = NONE.1;
        *self.due.get_mut() = NEVER;
    }

    /// Notes that keys from `lowest` to `highest` may have come.
    pub(crate) fn note(&self, lowest: Key, highest: Key) {
        // The highest first: `take` reads in the other order, so that whenever it sees a lowest, the highest that belongs to
        // it has been written before.
        self.highest.fetch_max(highest, SeqCst);
        self.lowest.fetch_min(lowest, SeqCst);
    }

    /// Takes what has been noted.
    pub(crate) fn take(&self) -> Option<(Key, Key)> {
        let lowest = self.lowest.swap(NONE.0, SeqCst);
        if lowest == NONE.0 {
            return None;
        }
        let highest = self.highest.swap(NONE.1, SeqCst);
        // Another process may stand between its two writes: then its highest was taken by an earlier look, and this lowest
        // comes alone. How far it goes is unknown.
        Some((lowest, if highest == NONE.1 { Key::MAX } else { highest.max(lowest) }))
    }

    /// Notes that a row is due at this time, or that some are due at times unknown.
    pub(crate) fn note_due(&self, due: Timestamp) {
        self.due.fetch_min(due, SeqCst);
    }

    /// Takes the earliest of those times.
    pub(crate) fn take_due(&self) -> Option<Timestamp> {
        Some(self.due.swap(NEVER, SeqCst)).filter(|&due| due != NEVER)
    }
}
