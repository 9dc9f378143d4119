//! When databases that have no worker are to get one.

use std::sync::atomic::{AtomicI64, AtomicU32, Ordering::SeqCst};

use crate::{NEVER, Timestamp};

/// How many databases can have an entry.
const MOST: usize = 256;
/// Microseconds from a failure to the next attempt, at first and at most.
const FIRST_PAUSE: i64 = 1_000_000;
const LONGEST_PAUSE: i64 = 60_000_000;

/// When databases that have no worker now are to get one: one of their rows falls due then, or the last attempt failed.
///
/// An entry is written by the database's worker as it leaves, by the launcher while there is none, or, where the database is gone,
/// by a visitor: never by two at once.
#[repr(C)]
pub struct WakeSchedule {
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

impl WakeSchedule {
    fn find(&self, database: impl Into<u32>) -> Option<&Entry> {
        let database = database.into();
        self.entries.iter().find(|entry| entry.database.load(SeqCst) == database)
    }

    fn find_or_add(&self, database: impl Into<u32>) -> Option<&Entry> {
        let database = database.into();
        let free = |entry: &&Entry| entry.database.compare_exchange(0, database, SeqCst, SeqCst).is_ok();
        self.find(database).or_else(|| self.entries.iter().find(free))
    }

    /// A worker is to come at this time. False if there is no room.
    pub fn put(&self, database: impl Into<u32>, at: Timestamp) -> bool {
        let entry = self.find_or_add(database);
        if let Some(entry) = entry {
            entry.failures.store(0, SeqCst);
            entry.at.store(at, SeqCst);
        }
        entry.is_some()
    }

    /// A worker could not start, or broke: the next one is to come after a pause that grows with each failure in a row.
    /// False if there is no room.
    pub fn fail(&self, database: impl Into<u32>, now: Timestamp) -> bool {
        let entry = self.find_or_add(database);
        if let Some(entry) = entry {
            let before = entry.failures.fetch_add(1, SeqCst);
            entry.at.store(now + (FIRST_PAUSE << before.min(6)).min(LONGEST_PAUSE), SeqCst);
        }
        entry.is_some()
    }

    /// How many workers of a database in a row could not start, or broke.
    pub fn failures(&self, database: impl Into<u32>) -> u32 {
        self.find(database).map_or(0, |entry| entry.failures.load(SeqCst))
    }

    /// Whether the pause after a failure is not over yet.
    pub fn is_paused(&self, database: impl Into<u32>, now: Timestamp) -> bool {
        self.find(database).is_some_and(|entry| {
            let at = entry.at.load(SeqCst);
            entry.failures.load(SeqCst) > 0 && at > now && at != NEVER
        })
    }

    /// The pause after a failure, if there is one, is to end at this time at the latest.
    pub fn shorten(&self, database: impl Into<u32>, at: Timestamp) {
        if let Some(entry) = self.find(database).filter(|entry| entry.at.load(SeqCst) != NEVER) {
            entry.at.fetch_min(at, SeqCst);
        }
    }

    /// A worker starts. The count of failures stays until one has left in good order.
    pub fn start(&self, database: impl Into<u32>) {
        if let Some(entry) = self.find(database) {
            entry.at.store(NEVER, SeqCst);
            if entry.failures.load(SeqCst) == 0 {
                entry.database.store(0, SeqCst);
            }
        }
    }

    /// There is nothing to come back for.
    pub fn remove(&self, database: impl Into<u32>) {
        if let Some(entry) = self.find(database) {
            entry.at.store(NEVER, SeqCst);
            entry.failures.store(0, SeqCst);
            entry.database.store(0, SeqCst);
        }
    }

    /// The databases whose time has come.
    pub fn due(&self, now: Timestamp) -> impl Iterator<Item = u32> {
        let due = move |entry: &&Entry| entry.database.load(SeqCst) != 0 && entry.at.load(SeqCst) <= now;
        self.entries.iter().filter(due).map(|entry| {
            entry.at.store(NEVER, SeqCst);
            entry.database.load(SeqCst)
        })
    }

    /// When the next time comes.
    pub fn next(&self) -> Option<Timestamp> {
        let taken = self.entries.iter().filter(|entry| entry.database.load(SeqCst) != 0);
        taken.map(|entry| entry.at.load(SeqCst)).min().filter(|&at| at != NEVER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: i64 = 1_000_000;

    fn empty() -> WakeSchedule {
        let entry = || Entry { database: AtomicU32::new(0), at: AtomicI64::new(0), failures: AtomicU32::new(0) };
        WakeSchedule { entries: std::array::from_fn(|_| entry()) }
    }

    fn due(schedule: &WakeSchedule, now: Timestamp) -> Vec<u32> {
        schedule.due(now).collect()
    }

    #[test]
    fn a_worker_comes_when_its_time_has_come_and_once() {
        let schedule = empty();
        assert!(schedule.put(7_u32, 500));
        assert!(schedule.put(8_u32, 300));
        assert_eq!(schedule.next(), Some(300));
        assert!(due(&schedule, 299).is_empty());
        assert_eq!(due(&schedule, 500), [7, 8]);
        assert!(due(&schedule, 500).is_empty());
        assert_eq!(schedule.next(), None);
    }

    #[test]
    fn the_pause_doubles_with_each_failure_up_to_a_minute() {
        let schedule = empty();
        let pauses = [1, 2, 4, 8, 16, 32, 60, 60];
        for (before, seconds) in pauses.into_iter().enumerate() {
            assert_eq!(schedule.failures(7_u32), before as u32);
            assert!(schedule.fail(7_u32, 0));
            assert_eq!(schedule.next(), Some(seconds * SECOND));
            assert!(schedule.is_paused(7_u32, seconds * SECOND - 1));
            assert!(!schedule.is_paused(7_u32, seconds * SECOND));
        }
    }

    #[test]
    fn failures_are_counted_until_a_worker_has_left_in_good_order() {
        let schedule = empty();
        schedule.fail(7_u32, 0);
        schedule.start(7_u32);
        assert_eq!(schedule.failures(7_u32), 1);
        assert!(!schedule.is_paused(7_u32, 0), "one has started");
        schedule.put(7_u32, 9);
        assert_eq!(schedule.failures(7_u32), 0);
    }

    #[test]
    fn a_pause_is_shortened_and_never_made_longer() {
        let schedule = empty();
        schedule.fail(7_u32, 0);
        schedule.shorten(7_u32, 2 * SECOND);
        assert_eq!(schedule.next(), Some(SECOND));
        schedule.shorten(7_u32, 5);
        assert_eq!(schedule.next(), Some(5));
        schedule.shorten(8_u32, 1);
        assert_eq!(schedule.next(), Some(5), "nothing is known of that one");
    }

    #[test]
    fn what_is_removed_or_started_in_good_order_makes_room() {
        let schedule = empty();
        for database in 1..=256_u32 {
            assert!(schedule.put(database, 1));
        }
        assert!(!schedule.put(257_u32, 1));
        schedule.remove(3_u32);
        assert!(schedule.put(257_u32, 1));
        schedule.start(4_u32);
        assert!(schedule.fail(258_u32, 1));
    }
}
