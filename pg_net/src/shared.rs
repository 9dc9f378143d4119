//! What the server's processes share: who the workers are, and what has been committed for them.
//!
//! Numbers only, never pointers; and every field is one that a commit callback may touch: it cannot raise.

use std::cell::Cell;
use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

use pgrx::pg_sys;

pub(crate) mod cancels;
mod closed;
mod condition;
mod first;
mod memory;
mod notes;
mod origins;
mod per_process;
pub(crate) mod questions;
mod slot;
pub(crate) mod waiters;

pub(crate) use closed::{Closed, Entry};
pub(crate) use condition::Condition;
pub(crate) use first::First;
pub(crate) use memory::{get, reserve};
pub(crate) use notes::Notes;
pub(crate) use origins::{Origins, STANDING_HELD, STANDING_OPEN, STANDING_PROBED, Sick};
pub(crate) use slot::Slot;

/// How many workers there may be at once.
pub(crate) const SLOTS: usize = 64;

/// The piece of shared memory that is ours.
#[repr(C)]
pub(crate) struct Shared {
    /// The workers. The first is the one that starts with the server.
    slots: [Slot; SLOTS],
    pub(crate) first: First,
    /// Counts the workers that came to run.
    incarnations: AtomicU64,
    pub(crate) closed: Closed,
    pub(crate) origins: Origins,
    /// Broadcast when a worker comes to run, and when one goes.
    pub(crate) state_changed: Condition,
}

thread_local! {
    /// The slot of this process, where it is a worker.
    static MINE: Cell<usize> = const { Cell::new(0) };
}

impl Shared {
    fn initialize(&mut self) {
        // The memory comes zeroed, which is right for every number.
        self.slots.iter_mut().for_each(Slot::initialize);
        self.state_changed.initialize();
    }

    /// The slot of the worker that starts with the server.
    pub(crate) fn first_slot(&self) -> &Slot {
        &self.slots[0]
    }

    /// The slot of the calling process, which is a worker.
    pub(crate) fn my_slot(&self) -> &Slot {
        &self.slots[MINE.get()]
    }

    /// The slot of the worker that serves a database.
    pub(crate) fn serving(&self, database: pg_sys::Oid) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.serves(database))
    }

    /// The calling process, a worker, is connected to `database` and ready.
    pub(crate) fn run(&self, database: pg_sys::Oid) {
        self.first.succeed();
        let incarnation = self.incarnations.fetch_add(1, SeqCst) + 1;
        self.my_slot().run(database, incarnation);
        self.state_changed.broadcast();
    }

    /// The calling process, a worker with this pid, is going.
    pub(crate) fn leave(&self, pid: i32) {
        if self.my_slot().leave(pid) {
            self.state_changed.broadcast();
        }
    }

    /// Keeps workers out of a database, and asks the one that is there to leave. `None` if too many are closed already.
    pub(crate) fn close(&self, database: pg_sys::Oid) -> Option<Entry> {
        let entry = self.closed.close(database)?;
        if let Some(slot) = self.serving(database) {
            slot.poke();
        }
        Some(entry)
    }

    /// Ends [`close`](Self::close).
    pub(crate) fn reopen(&self, entry: Entry) {
        self.closed.reopen(entry);
        self.first_slot().poke();
    }
}
