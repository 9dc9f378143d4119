use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};

use pgrx::pg_sys;

use crate::pg::types::clock::{NEVER, Timestamp};

/// How many databases can have an entry.
const MOST: usize = 256;
/// Microseconds from a failure to the next attempt, at first and at most.
const FIRST_PAUSE: i64 = 1_000_000;
const LONGEST_PAUSE: i64 = 60_000_000;

/// When databases that have no worker now are to get one: something of theirs falls due then, or the last attempt failed.
///
/// An entry is written by the database's worker as it leaves, by the launcher while there is none, or, where the database is gone,
/// by a visitor: never by two at once.
#[repr(C)]
pub(crate) struct Agenda {
    entries: [Entry; MOST],
}

#[repr(C)]
struct Entry {
    /// 0 where the entry is free.
    database: AtomicU32,
    /// Microseconds of the server's clock.
    at: AtomicI64,
    /// How many workers in a row could not start, or broke.
    failures: AtomicU32,
}

impl Agenda {
    fn find(&self, database: pg_sys::Oid) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.database.load(SeqCst) == database.to_u32())
    }

    fn find_or_add(&self, database: pg_sys::Oid) -> Option<&Entry> {
        let free = |entry: &&Entry| entry.database.compare_exchange(0, database.to_u32(), SeqCst, SeqCst).is_ok();
        self.find(database).or_else(|| self.entries.iter().find(free))
    }

    /// A worker is to come at this time. False if there is no room.
    pub(super) fn put(&self, database: pg_sys::Oid, at: Timestamp) -> bool {
        let entry = self.find_or_add(database);
        if let Some(entry) = entry {
            entry.failures.store(0, SeqCst);
            entry.at.store(at, SeqCst);
        }
        entry.is_some()
    }

    /// A worker could not start, or broke: the next one is to come after a pause that grows with each failure in a row.
    /// False if there is no room.
    pub(crate) fn fail(&self, database: pg_sys::Oid, now: Timestamp) -> bool {
        let entry = self.find_or_add(database);
        if let Some(entry) = entry {
            let before = entry.failures.fetch_add(1, SeqCst);
            entry.at.store(now + (FIRST_PAUSE << before.min(6)).min(LONGEST_PAUSE), SeqCst);
        }
        entry.is_some()
    }

    /// How many workers of a database in a row could not start, or broke.
    pub(crate) fn failures(&self, database: pg_sys::Oid) -> u32 {
        self.find(database).map_or(0, |entry| entry.failures.load(SeqCst))
    }

    /// Whether the pause after a failure is not over yet.
    pub(crate) fn is_paused(&self, database: pg_sys::Oid, now: Timestamp) -> bool {
        self.find(database).is_some_and(|entry| {
            let at = entry.at.load(SeqCst);
            entry.failures.load(SeqCst) > 0 && at > now && at != NEVER
        })
    }

    /// The pause after a failure, if there is one, is to end at this time at the latest.
    pub(super) fn hurry(&self, database: pg_sys::Oid, at: Timestamp) {
        if let Some(entry) = self.find(database).filter(|entry| entry.at.load(SeqCst) != NEVER) {
            entry.at.fetch_min(at, SeqCst);
        }
    }

    /// A worker starts. The count of failures stays until one has left in good order.
    pub(crate) fn start(&self, database: pg_sys::Oid) {
        if let Some(entry) = self.find(database) {
            entry.at.store(NEVER, SeqCst);
            if entry.failures.load(SeqCst) == 0 {
                entry.database.store(0, SeqCst);
            }
        }
    }

    /// There is nothing to come back for.
    pub(crate) fn remove(&self, database: pg_sys::Oid) {
        if let Some(entry) = self.find(database) {
            entry.at.store(NEVER, SeqCst);
            entry.failures.store(0, SeqCst);
            entry.database.store(0, SeqCst);
        }
    }

    /// The databases whose time has come.
    pub(crate) fn due(&self, now: Timestamp) -> impl Iterator<Item = pg_sys::Oid> {
        let due = move |entry: &&Entry| entry.database.load(SeqCst) != 0 && entry.at.load(SeqCst) <= now;
        self.entries.iter().filter(due).map(|entry| {
            entry.at.store(NEVER, SeqCst);
            pg_sys::Oid::from(entry.database.load(SeqCst))
        })
    }

    /// When the next time comes.
    pub(crate) fn next(&self) -> Option<Timestamp> {
        let taken = self.entries.iter().filter(|entry| entry.database.load(SeqCst) != 0);
        taken.map(|entry| entry.at.load(SeqCst)).min().filter(|&at| at != NEVER)
    }
}
