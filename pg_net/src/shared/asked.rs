use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use pgrx::pg_sys;

/// How many databases can wait for a worker by name; beyond, all databases are visited.
const MOST: usize = 64;

/// Why a database is to get a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// There may be something to do.
    Visit = 1,
    /// A commit there brought something, or somebody waits for the worker.
    Work = 2,
}

/// The databases that wait for a worker. Commit callbacks add to it.
#[repr(C)]
pub(crate) struct Asked {
    /// Each a reason, in the upper half, and a database.
    entries: [AtomicU64; MOST],
}

/// A database that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) database: pg_sys::Oid,
    pub(crate) reason: Reason,
    place: usize,
}

impl Asked {
    /// Adds a database, unless it is there for as good a reason. False if there is no room.
    pub(crate) fn add(&self, database: pg_sys::Oid, reason: Reason) -> bool {
        let new = pack(database, reason);
        let is_there = self.entries.iter().any(|entry| {
            let held = entry.load(SeqCst);
            held as u32 == database.to_u32()
                && (held >= new || entry.compare_exchange(held, new, SeqCst, SeqCst).is_ok())
        });
        is_there || self.entries.iter().any(|entry| entry.compare_exchange(0, new, SeqCst, SeqCst).is_ok())
    }

    /// Takes a database out, unless it has got a better reason meanwhile.
    ///
    /// Before its worker reads the queue, never after: whoever finds the database here trusts in a look that is yet to come.
    pub(crate) fn remove(&self, waiting: Waiting) {
        let held = pack(waiting.database, waiting.reason);
        let _ = self.entries[waiting.place].compare_exchange(held, 0, SeqCst, SeqCst);
    }

    /// Those that wait, from the place after `last`: whoever asks again and again gets no more turns than others.
    pub(crate) fn after(&self, last: Option<Waiting>) -> impl Iterator<Item = Waiting> {
        let start = last.map_or(0, |last| last.place + 1);
        (start..start + MOST).filter_map(|place| {
            let place = place % MOST;
            let held = self.entries[place].load(SeqCst);
            let reason = if held >> 32 == Reason::Work as u64 { Reason::Work } else { Reason::Visit };
            (held != 0).then_some(Waiting { database: pg_sys::Oid::from(held as u32), reason, place })
        })
    }

    /// Whether there is room for another one.
    pub(crate) fn has_room(&self) -> bool {
        self.entries.iter().any(|entry| entry.load(SeqCst) == 0)
    }
}

fn pack(database: pg_sys::Oid, reason: Reason) -> u64 {
    (reason as u64) << 32 | u64::from(database.to_u32())
}
