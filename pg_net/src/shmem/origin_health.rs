use std::sync::atomic::{AtomicI64, AtomicU8, AtomicU32, Ordering::SeqCst, fence};

use pgrx::pg_sys;

/// How many origins in trouble can be shown at once, over all databases. Those beyond are treated alike, but not shown.
const MOST: usize = 256;
/// A host has at most 255 characters; with the scheme and the port around it.
const LONGEST: usize = 280;

/// The origins that workers have something to say about.
#[repr(C)]
pub(crate) struct Origins {
    entries: [Entry; MOST],
}

/// One origin, written by one worker. No lock: who reads it while it is written reads it again.
#[repr(C)]
struct Entry {
    /// Of the worker; 0 where the entry is free.
    database: AtomicU32,
    /// Odd while the entry is written.
    version: AtomicU32,
    standing: AtomicU32,
    failures: AtomicU32,
    failing_since: AtomicI64,
    held_until: AtomicI64,
    origin: Text<LONGEST>,
    last_failure: Text<32>,
}

/// A short text.
#[repr(C)]
struct Text<const N: usize> {
    length: AtomicU32,
    bytes: [AtomicU8; N],
}

/// What an entry says.
#[derive(Debug, Default)]
pub(crate) struct Sick {
    pub(crate) origin: String,
    /// One of the three numbers below.
    pub(crate) standing: u32,
    pub(crate) failures: u32,
    pub(crate) last_failure: String,
    /// A timestamp; 0: none.
    pub(crate) failing_since: i64,
    pub(crate) held_until: i64,
}

pub(crate) const STANDING_HEALTHY: u32 = 0;
pub(crate) const STANDING_PROBING: u32 = 1;
pub(crate) const STANDING_DEFERRED: u32 = 2;

impl Origins {
    /// Takes a free entry for a worker's use; none where all are taken.
    pub(crate) fn take(&self, database: pg_sys::Oid) -> Option<usize> {
        let take = |entry: &Entry| entry.database.compare_exchange(0, database.to_u32(), SeqCst, SeqCst).is_ok();
        let taken = self.entries.iter().position(take)?;
        self.write(taken, &Sick::default());
        Some(taken)
    }

    /// Says something in an entry that was taken.
    pub(crate) fn write(&self, entry: usize, sick: &Sick) {
        let entry = &self.entries[entry];
        entry.version.fetch_add(1, SeqCst);
        fence(SeqCst);
        entry.standing.store(sick.standing, SeqCst);
        entry.failures.store(sick.failures, SeqCst);
        entry.failing_since.store(sick.failing_since, SeqCst);
        entry.held_until.store(sick.held_until, SeqCst);
        entry.origin.write(&sick.origin);
        entry.last_failure.write(&sick.last_failure);
        fence(SeqCst);
        entry.version.fetch_add(1, SeqCst);
    }

    /// Frees an entry.
    pub(crate) fn free(&self, entry: usize) {
        self.entries[entry].database.store(0, SeqCst);
    }

    /// Frees all of a database's: its worker starts again, or goes.
    pub(crate) fn free_all(&self, database: pg_sys::Oid) {
        for entry in &self.entries {
            let _ = entry.database.compare_exchange(database.to_u32(), 0, SeqCst, SeqCst);
        }
    }

    /// What there is to say about a database's origins.
    pub(crate) fn read(&self, database: pg_sys::Oid) -> Vec<Sick> {
        let entries = self.entries.iter().filter(|entry| entry.database.load(SeqCst) == database.to_u32());
        entries.map(Entry::read).filter(|sick| !sick.origin.is_empty()).collect()
    }
}

impl Entry {
    fn read(&self) -> Sick {
        loop {
            let before = self.version.load(SeqCst);
            let sick = Sick {
                origin: self.origin.read(),
                standing: self.standing.load(SeqCst),
                failures: self.failures.load(SeqCst),
                last_failure: self.last_failure.read(),
                failing_since: self.failing_since.load(SeqCst),
                held_until: self.held_until.load(SeqCst),
            };
            fence(SeqCst);
            if before.is_multiple_of(2) && self.version.load(SeqCst) == before {
                return sick;
            }
            std::hint::spin_loop();
        }
    }
}

impl<const N: usize> Text<N> {
    /// What is too long is left out.
    fn write(&self, text: &str) {
        let bytes = if text.len() <= N { text.as_bytes() } else { &[] };
        for (place, byte) in self.bytes.iter().zip(bytes) {
            place.store(*byte, SeqCst);
        }
        self.length.store(bytes.len() as u32, SeqCst);
    }

    fn read(&self) -> String {
        let length = (self.length.load(SeqCst) as usize).min(N);
        let bytes = self.bytes[..length].iter().map(|byte| byte.load(SeqCst)).collect::<Vec<_>>();
        String::from_utf8_lossy(&bytes).into_owned()
    }
}
