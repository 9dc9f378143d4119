use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use pgrx::pg_sys;

use super::worker::home::HOME_DATABASE;

/// How many databases can wait for a worker by name; beyond, all databases are visited.
const MOST: usize = 64;

/// Where the worker of `pg_net.database_name` waits to be let in.
const HOME: usize = MOST;

/// Why a database is to get a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Reason {
    /// There may be something to do.
    Visit = 1,
    /// A commit there brought something, or somebody waits for the worker.
    Work = 2,
}

/// What a visitor has found out about a database that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing yet.
    Unknown = 0,
    /// A worker can connect.
    Clear = 1,
    /// A worker cannot connect for now.
    Refused = 2,
    /// There is nothing to connect to or for.
    Gone = 3,
}

/// The databases that wait for a worker. Commit callbacks add to it; visitors note what they found; the launcher takes out.
#[repr(C)]
pub(crate) struct Asked {
    /// Each a verdict and a reason, in the upper half, and a database.
    entries: [AtomicU64; MOST + 1],
}

/// A database that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Waiting {
    pub(crate) database: pg_sys::Oid,
    pub(crate) reason: Reason,
    pub(crate) verdict: Verdict,
    place: usize,
}

impl Waiting {
    /// Whether it is the worker of `pg_net.database_name`, which waits to be let in.
    pub(crate) fn is_home(self) -> bool {
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
        (held != 0).then_some(Self { database: pg_sys::Oid::from(held as u32), reason, verdict, place })
    }
}

const REASON: u64 = 3;
const VERDICT_SHIFT: u32 = 2;

fn pack(database: pg_sys::Oid, reason: Reason, verdict: Verdict) -> u64 {
    (reason as u64 | (verdict as u64) << VERDICT_SHIFT) << 32 | u64::from(database.to_u32())
}

impl Asked {
    /// Adds a database, unless it is there for as good a reason. False if there is no room.
    pub(crate) fn add(&self, database: pg_sys::Oid, reason: Reason) -> bool {
        let named = &self.entries[..MOST];
        let new = pack(database, reason, Verdict::Unknown);
        let is_there = named.iter().enumerate().any(|(place, entry)| {
            let held = entry.load(SeqCst);
            // A better reason is looked at anew: what was found may have been for want of one.
            Waiting::unpack(place, held).is_some_and(|waiting| {
                waiting.database == database
                    && (waiting.reason >= reason || entry.compare_exchange(held, new, SeqCst, SeqCst).is_ok())
            })
        });
        is_there || named.iter().any(|entry| entry.compare_exchange(0, new, SeqCst, SeqCst).is_ok())
    }

    /// Adds the worker of `pg_net.database_name`, which waits to be let in.
    pub(super) fn add_home(&self) {
        self.entries[HOME].store(pack(HOME_DATABASE, Reason::Work, Verdict::Unknown), SeqCst);
    }

    /// Takes the worker of `pg_net.database_name` out.
    pub(super) fn remove_home(&self) {
        self.entries[HOME].store(0, SeqCst);
    }

    /// Takes a database out, unless it has got a better reason meanwhile.
    ///
    /// Before its worker reads the queue, never after: whoever finds the database here trusts in a look that is yet to come.
    pub(crate) fn remove(&self, waiting: Waiting) {
        let _ = self.entries[waiting.place].compare_exchange(waiting.pack(), 0, SeqCst, SeqCst);
    }

    /// Notes what was found out about a database, unless it has changed or left meanwhile.
    pub(crate) fn judge(&self, waiting: Waiting, verdict: Verdict) {
        let judged = Waiting { verdict, ..waiting };
        let _ = self.entries[waiting.place].compare_exchange(waiting.pack(), judged.pack(), SeqCst, SeqCst);
    }

    /// Has all be looked at anew, or those of one database.
    pub(crate) fn forget(&self, database: Option<pg_sys::Oid>) {
        for waiting in self.after(None) {
            if database.is_none_or(|database| waiting.is_home() || waiting.database == database) {
                self.judge(waiting, Verdict::Unknown);
            }
        }
    }

    /// Those that wait, from the place after `last`: whoever asks again and again gets no more turns than others.
    pub(crate) fn after(&self, last: Option<Waiting>) -> impl Iterator<Item = Waiting> {
        let start = last.map_or(0, |last| last.place + 1);
        (start..start + MOST + 1).filter_map(|place| {
            let place = place % (MOST + 1);
            Waiting::unpack(place, self.entries[place].load(SeqCst))
        })
    }

    /// Whether there is room for another one.
    pub(crate) fn has_room(&self) -> bool {
        self.entries[..MOST].iter().any(|entry| entry.load(SeqCst) == 0)
    }
}
