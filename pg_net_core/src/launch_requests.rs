//! The databases that wait for a worker.

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

/// What stands for the database of the settings, which may not exist, where the worker of `pg_net.database_name` waits and where
/// its failures are counted. No database has it.
pub const HOME_DATABASE: u32 = u32::MAX;

/// How many databases can wait for a worker by name; beyond, all databases are visited.
const MOST: usize = 64;

/// Where the worker of `pg_net.database_name` waits to be let in.
const HOME: usize = MOST;

/// Why a database is to get a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// There may be something to do.
    Visit = 1,
    /// A commit there brought something, or a session waits for the worker.
    Work = 2,
}

/// What a visitor has found out about a database that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Nothing yet.
    Unknown = 0,
    /// A worker can connect.
    Clear = 1,
    /// A worker cannot connect for now.
    Refused = 2,
    /// There is nothing to connect to or for.
    Gone = 3,
}

/// The requests for workers. Commit callbacks add to them; visitors note what they found; the launcher takes out.
#[repr(C)]
pub struct LaunchRequests {
    /// Each a verdict and a reason, in the upper half, and a database.
    entries: [AtomicU64; MOST + 1],
}

/// A database that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaunchRequest {
    /// Its oid.
    pub database: u32,
    /// Why it waits.
    pub reason: Reason,
    /// What a visitor has found.
    pub verdict: Verdict,
    place: usize,
}

impl LaunchRequest {
    /// Whether it is the worker of `pg_net.database_name`, which waits to be let in.
    pub fn is_home(self) -> bool {
        self.place == HOME
    }

    fn pack(self) -> u64 {
        pack(self.database, self.reason, self.verdict)
    }

    fn unpack(place: usize, held: u64) -> Option<Self> {
        let upper = held >> 32;
        let reason = if upper & REASON == Reason::Work as u64 { Reason::Work } else { Reason::Visit };
        let verdict = match upper >> VERDICT_SHIFT {
            0 => Verdict::Unknown,
            1 => Verdict::Clear,
            2 => Verdict::Refused,
            _ => Verdict::Gone,
        };
        (held != 0).then_some(Self { database: held as u32, reason, verdict, place })
    }
}

const REASON: u64 = 3;
const VERDICT_SHIFT: u32 = 2;

fn pack(database: u32, reason: Reason, verdict: Verdict) -> u64 {
    (reason as u64 | (verdict as u64) << VERDICT_SHIFT) << 32 | u64::from(database)
}

impl LaunchRequests {
    /// Adds a database, unless it is there for as good a reason. False if there is no room.
    pub fn add(&self, database: impl Into<u32>, reason: Reason) -> bool {
        let database = database.into();
        let named = &self.entries[..MOST];
        let new = pack(database, reason, Verdict::Unknown);
        let is_there = named.iter().enumerate().any(|(place, entry)| {
            let held = entry.load(SeqCst);
            // A better reason is looked at again: what was found may have been for want of one.
            LaunchRequest::unpack(place, held).is_some_and(|request| {
                request.database == database
                    && (request.reason >= reason || entry.compare_exchange(held, new, SeqCst, SeqCst).is_ok())
            })
        });
        is_there || named.iter().any(|entry| entry.compare_exchange(0, new, SeqCst, SeqCst).is_ok())
    }

    /// Adds the worker of `pg_net.database_name`, which waits to be let in.
    pub fn add_home(&self) {
        self.entries[HOME].store(pack(HOME_DATABASE, Reason::Work, Verdict::Unknown), SeqCst);
    }

    /// Takes the worker of `pg_net.database_name` out.
    pub fn remove_home(&self) {
        self.entries[HOME].store(0, SeqCst);
    }

    /// Takes a database out, unless it has got a better reason meanwhile.
    ///
    /// Before its worker reads the queue, never after: a session that finds the database here trusts in a read that is yet to come.
    pub fn remove(&self, request: LaunchRequest) {
        let _ = self.entries[request.place].compare_exchange(request.pack(), 0, SeqCst, SeqCst);
    }

    /// Notes what was found out about a database, unless it has changed or left meanwhile.
    pub fn judge(&self, request: LaunchRequest, verdict: Verdict) {
        let judged = LaunchRequest { verdict, ..request };
        let _ = self.entries[request.place].compare_exchange(request.pack(), judged.pack(), SeqCst, SeqCst);
    }

    /// Forgets what was found out about all, or about one database: a visitor looks again.
    pub fn forget(&self, database: Option<u32>) {
        for request in self.after(None) {
            if database.is_none_or(|database| request.is_home() || request.database == database) {
                self.judge(request, Verdict::Unknown);
            }
        }
    }

    /// Those that wait, from the place after `last`: a database that asks again and again gets no more turns than others.
    pub fn after(&self, last: Option<LaunchRequest>) -> impl Iterator<Item = LaunchRequest> {
        let start = last.map_or(0, |last| last.place + 1);
        (start..start + MOST + 1).filter_map(|place| {
            let place = place % (MOST + 1);
            LaunchRequest::unpack(place, self.entries[place].load(SeqCst))
        })
    }

    /// Whether there is room for another one.
    pub fn has_room(&self) -> bool {
        self.entries[..MOST].iter().any(|entry| entry.load(SeqCst) == 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn empty() -> LaunchRequests {
        LaunchRequests { entries: [const { AtomicU64::new(0) }; MOST + 1] }
    }

    fn all(requests: &LaunchRequests) -> Vec<(u32, Reason, Verdict)> {
        requests.after(None).map(|request| (request.database, request.reason, request.verdict)).collect()
    }

    #[test]
    fn a_database_waits_once_and_for_its_best_reason() {
        let requests = empty();
        assert!(requests.add(5_u32, Reason::Visit));
        assert!(requests.add(5_u32, Reason::Work));
        assert!(requests.add(5_u32, Reason::Visit));
        assert_eq!(all(&requests), [(5, Reason::Work, Verdict::Unknown)]);
    }

    #[test]
    fn a_better_reason_drops_what_was_found_for_a_lesser_one() {
        let requests = empty();
        requests.add(5_u32, Reason::Visit);
        let visit = requests.after(None).next().expect("a request");
        requests.judge(visit, Verdict::Gone);
        requests.add(5_u32, Reason::Work);
        assert_eq!(all(&requests), [(5, Reason::Work, Verdict::Unknown)]);
    }

    #[test]
    fn what_was_found_too_late_changes_nothing() {
        let requests = empty();
        requests.add(5_u32, Reason::Visit);
        let visit = requests.after(None).next().expect("a request");
        requests.add(5_u32, Reason::Work);
        requests.judge(visit, Verdict::Gone);
        requests.remove(visit);
        assert_eq!(all(&requests), [(5, Reason::Work, Verdict::Unknown)]);
    }

    #[test]
    fn there_is_room_for_sixty_four_and_for_the_worker_of_the_settings() {
        let requests = empty();
        for database in 1..=64_u32 {
            assert!(requests.has_room());
            assert!(requests.add(database, Reason::Work));
        }
        assert!(!requests.has_room());
        assert!(!requests.add(65_u32, Reason::Work));
        assert!(requests.add(64_u32, Reason::Work), "it waits already");
        requests.add_home();
        assert_eq!(requests.after(None).count(), 65);
        assert!(requests.after(None).last().is_some_and(LaunchRequest::is_home));
        requests.remove_home();
        assert_eq!(requests.after(None).count(), 64);
    }

    #[test]
    fn turns_go_round() {
        let requests = empty();
        [3_u32, 4, 5].iter().for_each(|&database| assert!(requests.add(database, Reason::Work)));
        let first = requests.after(None).next();
        let order: Vec<u32> = requests.after(first).map(|request| request.database).collect();
        assert_eq!(order, [4, 5, 3]);
    }

    #[test]
    fn one_database_is_forgotten_or_all_and_the_home_with_each() {
        let requests = empty();
        [3_u32, 4].iter().for_each(|&database| assert!(requests.add(database, Reason::Work)));
        requests.add_home();
        let judge_all = || requests.after(None).for_each(|request| requests.judge(request, Verdict::Clear));
        let verdicts = || all(&requests).into_iter().map(|(_, _, verdict)| verdict).collect::<Vec<_>>();
        judge_all();
        requests.forget(Some(4));
        assert_eq!(verdicts(), [Verdict::Clear, Verdict::Unknown, Verdict::Unknown]);
        judge_all();
        requests.forget(None);
        assert_eq!(verdicts(), [Verdict::Unknown; 3]);
    }
}
