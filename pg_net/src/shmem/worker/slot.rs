use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};

use pg_net_core::pending_keys::PendingKeys;
use pgrx::pg_sys;

use super::removals::Removals;
use crate::pg::process::{latch, server};

/// What the slot of the worker of `pg_net.database_name` has for a database while it is connecting, by name.
const CONNECTING: u32 = u32::MAX;

/// The worker stays until there has been nothing to do for a while.
const STAYS: u32 = 0;
/// The worker came to see whether there is anything to do, and goes when there is not.
const VISITS: u32 = 1;
/// The worker came for a visit, and goes.
const LEAVES: u32 = 2;

/// A place for one worker: which process it is, which database it serves, and what commits there have brought.
#[repr(C)]
pub(crate) struct Slot {
    /// The worker's process; 0 while there is none.
    pid: AtomicI32,
    /// Its place among the server's processes.
    place: AtomicU32,
    /// The database that it serves, or will when it has connected; 0 where the slot is free.
    database: AtomicU32,
    /// The role that it connects as.
    role: AtomicU32,
    /// What a process must show to be the one that was started for this slot; 0 when it has come.
    ticket: AtomicU32,
    /// Which of all workers that came to run it is.
    incarnation: AtomicU64,
    /// A worker of an incarnation below this one is to leave.
    wanted: AtomicU64,
    /// Whether the worker runs, which is to say: is connected.
    running: AtomicBool,
    /// One of [`STAYS`], [`VISITS`] and [`LEAVES`].
    visit: AtomicU32,
    /// Pending wake-ups: commits that brought something, and the worker itself.
    work: AtomicU32,
    /// Whether the worker is to look at the outcomes that are held.
    held: AtomicBool,
    /// Row keys that commits have brought.
    pub(crate) pending_keys: PendingKeys,
    pub(crate) removals: Removals,
}

impl Slot {
    pub(in crate::shmem) fn initialize(&mut self) {
        // The memory comes zeroed, which is right for every number but these.
        self.pending_keys.initialize();
    }

    /// A commit has something for the worker. If a wake-up is already pending, do nothing: the worker reads the pending keys after it
    /// takes the wake-up. As long as there is no worker, each commit sees to it that one comes: the postmaster may oversleep.
    pub(crate) fn wake(&self) {
        let was_asked = self.work.fetch_add(1, SeqCst) > 0;
        if !was_asked || !self.has_process() {
            self.set_latch();
        }
    }

    /// A process that stores what was held has left something to the other one.
    pub(crate) fn look_at_held(&self) {
        self.held.store(true, SeqCst);
        self.set_latch();
    }

    /// Whether the worker is to look at the outcomes that are held, since the last call.
    pub(crate) fn take_held(&self) -> bool {
        self.held.swap(false, SeqCst)
    }

    /// Sets the worker's latch; where there is no worker, sees to it that one comes.
    pub(crate) fn set_latch(&self) {
        match self.pid.load(SeqCst) {
            0 => server::nudge_postmaster(),
            pid => latch::set(self.place.load(SeqCst), pid),
        }
    }

    /// The worker asks itself, and will look without being woken.
    pub(crate) fn come_again(&self) {
        self.work.fetch_add(1, SeqCst);
    }

    /// Takes the pending wake-ups: how many came since the last call.
    pub(crate) fn take_work(&self) -> u32 {
        self.work.swap(0, SeqCst)
    }

    /// Whether a wake-up came since the last [`take_work`](Self::take_work).
    pub(crate) fn has_work(&self) -> bool {
        self.work.load(SeqCst) > 0
    }

    /// Whether this database is the one that the worker serves, or will when it has connected.
    pub(crate) fn serves(&self, database: pg_sys::Oid) -> bool {
        self.database.load(SeqCst) == database.to_u32()
    }

    /// Whether a worker serves a database, or is about to.
    pub(crate) fn is_taken(&self) -> bool {
        self.database.load(SeqCst) != 0
    }

    /// Whether the worker may be about to connect to any database.
    pub(crate) fn is_connecting(&self) -> bool {
        self.database.load(SeqCst) == CONNECTING
    }

    /// Whether there is a process.
    pub(crate) fn has_process(&self) -> bool {
        self.pid.load(SeqCst) != 0
    }

    /// Whether the worker is connected.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(SeqCst)
    }

    /// Whether a worker is connected that was not asked to leave, and that is not leaving a visit.
    pub(crate) fn is_running_as_wanted(&self) -> bool {
        self.is_running() && !self.is_to_leave() && self.visit.load(SeqCst) != LEAVES
    }

    /// Asks the worker that runs now to leave, so that a new one can come; one that is on its way, as soon as it runs: as whom it
    /// connects is settled already.
    pub(crate) fn request_exit(&self) {
        let least = if self.is_running() { self.incarnation.load(SeqCst) + 1 } else { u64::MAX };
        self.wanted.store(least, SeqCst);
        self.set_latch();
    }

    /// The worker that is about to come is not asked to leave.
    pub(in crate::shmem) fn admit(&self) {
        self.wanted.store(0, SeqCst);
    }

    /// Whether the worker was asked to leave.
    pub(crate) fn is_to_leave(&self) -> bool {
        self.incarnation.load(SeqCst) < self.wanted.load(SeqCst)
    }

    /// Has the worker stay for as long as any other, though it came for a visit; not one that has made up its mind.
    pub(crate) fn keep(&self) {
        // Looked at first: a busy worker comes by here all the time, and hardly ever finds a visit.
        if self.visit.load(SeqCst) == VISITS {
            let _ = self.visit.compare_exchange(VISITS, STAYS, SeqCst, SeqCst);
        }
    }

    /// Whether the worker came for a visit that is over now: there is nothing to do, and no session has it stay.
    pub(crate) fn end_visit(&self) -> bool {
        self.visit.compare_exchange(VISITS, LEAVES, SeqCst, SeqCst).is_ok()
    }

    /// The database that the slot was given, and the role.
    pub(crate) fn assignment(&self) -> (pg_sys::Oid, pg_sys::Oid) {
        (self.database.load(SeqCst).into(), self.role.load(SeqCst).into())
    }

    /// Gives a free slot to a process that is about to be started. Only the launcher does that.
    pub(in crate::shmem) fn assign(&self, database: pg_sys::Oid, role: pg_sys::Oid, visit: bool, ticket: u32) {
        self.role.store(role.to_u32(), SeqCst);
        self.visit.store(if visit { VISITS } else { STAYS }, SeqCst);
        self.admit();
        self.work.store(0, SeqCst);
        self.pending_keys.take();
        self.ticket.store(ticket, SeqCst);
        self.database.store(database.to_u32(), SeqCst);
    }

    /// Frees a slot whose process has not come and, from now on, will not be let in. The database that waited for it.
    pub(in crate::shmem) fn revoke(&self) -> Option<pg_sys::Oid> {
        let pending = self.ticket.swap(0, SeqCst) != 0;
        pending.then(|| self.database.swap(0, SeqCst).into())
    }

    /// Whether the process that was started for the slot is yet to come.
    pub(crate) fn is_pending(&self) -> bool {
        self.ticket.load(SeqCst) != 0
    }

    /// The calling process is the worker from now on, though not connected yet. False if it is none that the slot waits for.
    pub(in crate::shmem) fn enter(&self, ticket: u32, pid: i32, place: u32) -> bool {
        if self.ticket.compare_exchange(ticket, 0, SeqCst, SeqCst).is_err() {
            return false;
        }
        self.running.store(false, SeqCst);
        self.place.store(place, SeqCst);
        self.pid.store(pid, SeqCst);
        true
    }

    /// The worker is about to connect, or not after all, to a database whose oid it does not know.
    pub(crate) fn set_connecting(&self, connecting: bool) {
        self.database.store(if connecting { CONNECTING } else { 0 }, SeqCst);
    }

    /// The worker is connected to `database` and ready.
    pub(in crate::shmem) fn run(&self, database: pg_sys::Oid, incarnation: u64) {
        self.database.store(database.to_u32(), SeqCst);
        self.incarnation.store(incarnation, SeqCst);
        self.running.store(true, SeqCst);
    }

    /// The worker, which has this pid, is going. The database that it served or was about to, if it was there at all.
    pub(in crate::shmem) fn leave(&self, pid: i32) -> Option<pg_sys::Oid> {
        if self.pid.load(SeqCst) != pid {
            return None;
        }
        self.running.store(false, SeqCst);
        self.pid.store(0, SeqCst);
        Some(self.database.swap(0, SeqCst).into())
    }
}
