use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};

use pgrx::pg_sys;

use super::Notes;
use crate::pg::{latch, server};

/// A place for one worker: which process it is, which database it serves, and what commits there have brought.
#[repr(C)]
pub(crate) struct Slot {
    /// The worker's process; 0 while there is none.
    pid: AtomicI32,
    /// Its place among the server's processes.
    place: AtomicU32,
    /// The database that it serves; 0 while there is none.
    database: AtomicU32,
    /// Which of all workers that came to run it is.
    incarnation: AtomicU64,
    /// A worker of an incarnation below this one is to leave.
    wanted: AtomicU64,
    /// Whether the worker runs, which is to say: is connected.
    running: AtomicBool,
    /// Whether a commit asked for the queue to be read.
    work: AtomicBool,
    /// Row keys that commits have brought.
    pub(crate) notes: Notes,
}

impl Slot {
    pub(super) fn initialize(&mut self) {
        // The memory comes zeroed, which is right for every number but these.
        self.notes.initialize();
    }

    /// A commit has something for the worker.
    pub(crate) fn wake(&self) {
        self.work.store(true, SeqCst);
        self.poke();
    }

    /// Sets the worker's latch; where there is no worker, sees to it that one comes.
    pub(crate) fn poke(&self) {
        match self.pid.load(SeqCst) {
            0 => server::nudge_postmaster(),
            pid => latch::set(self.place.load(SeqCst), pid),
        }
    }

    /// Whether a commit asked for the queue to be read since the last call.
    pub(crate) fn take_work(&self) -> bool {
        self.work.swap(false, SeqCst)
    }

    /// Whether this database is the one that the worker serves.
    pub(crate) fn serves(&self, database: pg_sys::Oid) -> bool {
        self.database.load(SeqCst) == database.to_u32()
    }

    /// Whether the worker is connected.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(SeqCst)
    }

    /// Whether a worker is connected that nobody has asked to leave.
    pub(crate) fn is_running_as_wanted(&self) -> bool {
        self.is_running() && self.incarnation.load(SeqCst) >= self.wanted.load(SeqCst)
    }

    /// Asks the worker that runs now to make room for a new one.
    pub(crate) fn restart(&self) {
        self.wanted.store(self.incarnation.load(SeqCst) + 1, SeqCst);
        self.poke();
    }

    /// Whether the worker was asked to make room for a new one.
    pub(crate) fn is_to_restart(&self) -> bool {
        self.incarnation.load(SeqCst) < self.wanted.load(SeqCst)
    }

    /// The calling process is the worker from now on, though not connected yet.
    pub(crate) fn enter(&self, pid: i32, place: u32) {
        self.running.store(false, SeqCst);
        self.place.store(place, SeqCst);
        self.pid.store(pid, SeqCst);
    }

    /// The worker is connected to `database` and ready.
    pub(super) fn run(&self, database: pg_sys::Oid, incarnation: u64) {
        self.database.store(database.to_u32(), SeqCst);
        self.incarnation.store(incarnation, SeqCst);
        self.running.store(true, SeqCst);
    }

    /// The worker, which has this pid, is going. Whether it was there.
    pub(super) fn leave(&self, pid: i32) -> bool {
        let was_here = self.pid.load(SeqCst) == pid;
        if was_here {
            self.running.store(false, SeqCst);
            self.database.store(0, SeqCst);
            self.pid.store(0, SeqCst);
        }
        was_here
    }
}
