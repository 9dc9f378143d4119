//! What the server's processes share: who the workers are, what has been committed for them, who waits for one.
//!
//! Numbers only, never pointers; and every field is one that a commit callback may touch: it cannot raise.
//!
//! Nothing that a commit brings is missed, whatever its database's worker does at that moment. Where a slot serves the
//! database, the commit leaves its note there and then looks whether the slot still does; where none does, it asks for a
//! worker. A worker that leaves frees its slot first and then looks whether there is a note. One that comes takes its slot
//! first and then reads the queue.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use engine::Key;
use pgrx::pg_sys;

use crate::pg::clock::{self, Timestamp};

mod agenda;
mod asked;
pub(crate) mod cancels;
mod closed;
mod condition;
mod defaults;
mod first;
mod key_set;
mod memory;
mod notes;
mod origins;
mod per_process;
pub(crate) mod questions;
mod removals;
mod slot;
pub(crate) mod waiters;

pub(crate) use agenda::Agenda;
pub(crate) use asked::{Asked, Reason, Waiting};
pub(crate) use closed::{Closed, Entry};
pub(crate) use condition::Condition;
pub(crate) use defaults::Defaults;
pub(crate) use first::{Bound, First};
pub(crate) use memory::{get, reserve};
pub(crate) use notes::Notes;
pub(crate) use origins::{Origins, STANDING_DEFERRED, STANDING_HEALTHY, STANDING_PROBING, Sick};
pub(crate) use removals::Removals;
pub(crate) use slot::Slot;

/// How many workers there may be at once.
pub(crate) const SLOTS: usize = 64;

/// The piece of shared memory that is ours.
#[repr(C)]
pub(crate) struct Shared {
    /// The workers. The first is the one that starts with the server.
    slots: [Slot; SLOTS],
    pub(crate) first: First,
    pub(crate) asked: Asked,
    pub(crate) agenda: Agenda,
    pub(crate) closed: Closed,
    pub(crate) defaults: Defaults,
    /// Which settings that are none the log has been told of since the server started, as a number; 0: not since.
    pub(crate) told_settings: AtomicU64,
    /// Whether databases wait for workers that cannot be started: those that are idle, or have had their turn, make room.
    crowded: AtomicU32,
    /// Counts the workers that came to run.
    incarnations: AtomicU64,
    /// Counts the processes that were started for a slot.
    tickets: AtomicU32,
    pub(crate) origins: Origins,
    /// Broadcast when a worker comes to run, and when one goes.
    pub(crate) state_changed: Condition,
}

/// What is to become of a worker's database when the worker has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It ended in a way that was not planned: another one comes after a pause.
    Broken,
    /// It left before it was done: another one is to come.
    Again,
    /// There is nothing to do; at this time there will be, if any is given.
    Done(Option<i64>),
}

thread_local! {
    /// The slot of this process, where it is a worker.
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
    static ENDING: Cell<Ending> = const { Cell::new(Ending::Broken) };
}

impl Shared {
    fn initialize(&mut self) {
        // The memory comes zeroed, which is right for every number but these.
        self.slots.iter_mut().for_each(Slot::initialize);
        self.first.initialize();
        self.state_changed.initialize();
    }

    /// The slot of the worker that starts with the server.
    pub(crate) fn first_slot(&self) -> &Slot {
        &self.slots[0]
    }

    /// The slot of the calling process, which is a worker.
    pub(crate) fn my_slot(&self) -> &Slot {
        &self.slots[MINE.get().unwrap_or_default()]
    }

    /// The slot of the worker that serves a database, or will when it has connected.
    pub(crate) fn serving(&self, database: pg_sys::Oid) -> Option<&Slot> {
        self.slots.iter().find(|slot| slot.serves(database))
    }

    /// Whether a worker serves the database that nobody has asked to leave.
    pub(crate) fn is_served(&self, database: pg_sys::Oid) -> bool {
        self.serving(database).is_some_and(Slot::is_running_as_wanted)
    }

    /// A transaction in `database` has committed that brings rows with keys in a range, the first of them due at a time if they
    /// are not at once, which are to be read now or with the next that asks for it.
    pub(crate) fn bring(&self, database: pg_sys::Oid, keys: Option<(Key, Key)>, due: Option<Timestamp>, wake: bool) {
        let Some(slot) = self.serving(database) else {
            if wake {
                self.ask(database, Reason::Work);
            }
            return;
        };
        if let Some((lowest, highest)) = keys {
            slot.notes.note(lowest, highest);
        }
        if let Some(due) = due {
            slot.notes.note_due(due);
        }
        if wake {
            slot.wake();
            if !slot.serves(database) {
                self.ask(database, Reason::Work);
            }
        }
    }

    /// A transaction in `database` has committed that may have taken rows out of the queue. Where no worker serves the database
    /// there is nothing claimed, and one that comes reads the queue as it is.
    pub(crate) fn remove(&self, database: pg_sys::Oid, emptied: bool) {
        if let Some(slot) = self.serving(database) {
            slot.removals.note(emptied);
            slot.poke();
        }
        waiters::tell_all(database);
    }

    /// Asks for a worker for a database that has none.
    pub(crate) fn ask(&self, database: pg_sys::Oid, reason: Reason) {
        if !self.asked.add(database, reason) {
            self.first.visit_all();
        }
        self.call_first();
    }

    /// Has the first worker look who waits for a worker.
    fn call_first(&self) {
        self.first.set_launch();
        // It looks by itself, and where it is about to end: a signal to the postmaster just before its end is what makes the
        // postmaster oversleep the restart.
        if MINE.get() != Some(0) {
            self.first_slot().poke();
        }
    }

    /// Asks the worker of a database, if there is one, to make room for a new one.
    pub(crate) fn restart(&self, database: pg_sys::Oid) {
        self.first.look_at_settings();
        if let Some(slot) = self.serving(database) {
            slot.dismiss();
        }
        self.first_slot().poke();
    }

    /// What sessions of a database, or of all, are given at their beginning has changed. Workers look at what concerns them;
    /// where there is none, one comes to look.
    pub(crate) fn change_defaults(&self, database: Option<pg_sys::Oid>) {
        self.defaults.change();
        self.slots.iter().filter(|slot| slot.has_process()).for_each(Slot::poke);
        match database {
            Some(database) => self.ask(database, Reason::Visit),
            None => self.visit_all(),
        }
    }

    /// Has all databases visited that no worker serves.
    pub(crate) fn visit_all(&self) {
        self.first.visit_all();
        self.call_first();
    }

    /// Whether databases wait for workers that cannot be started.
    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(SeqCst) != 0
    }

    /// Says whether databases wait for workers that cannot be started. The other workers hear of it.
    pub(crate) fn set_crowded(&self, crowded: bool) {
        if self.crowded.swap(crowded.into(), SeqCst) == 0 && crowded {
            self.slots[1..].iter().filter(|slot| slot.has_process()).for_each(Slot::poke);
        }
    }

    /// How many slots are taken, besides the first worker's.
    pub(crate) fn others(&self) -> usize {
        self.slots[1..].iter().filter(|slot| slot.is_taken()).count()
    }

    /// Gives a database a slot for a process that is about to be started. What that process must show; `None` if all slots
    /// are taken.
    pub(crate) fn assign(&self, database: pg_sys::Oid, role: pg_sys::Oid, reason: Reason) -> Option<Ticket> {
        let index = (1..SLOTS).find(|&index| !self.slots[index].is_taken())?;
        // As many bits as fit beside the index; never 0.
        let number = (self.tickets.fetch_add(1, SeqCst) & 0xff_ffff).max(1);
        self.slots[index].assign(database, role, reason == Reason::Visit, number);
        Some(Ticket { index, number })
    }

    /// Takes a slot back whose process has not come. The database that it was for.
    pub(crate) fn revoke(&self, ticket: Ticket) -> Option<pg_sys::Oid> {
        self.slots[ticket.index].revoke().inspect(|&database| questions::rouse(database))
    }

    /// Takes the slots back whose processes have not come, and has others started. For a first worker that took the place
    /// of another one: it would not hear of processes that fail to come.
    pub(crate) fn revoke_all(&self) {
        for slot in &self.slots[1..] {
            if let Some(database) = slot.revoke() {
                questions::rouse(database);
                self.ask(database, Reason::Work);
            }
        }
    }

    /// Whether the process of a ticket is yet to come.
    pub(crate) fn is_pending(&self, ticket: Ticket) -> bool {
        self.slots[ticket.index].is_pending()
    }

    /// The calling process is a worker from now on, though not connected yet. False if nobody waits for it.
    pub(crate) fn enter(&self, ticket: Ticket, pid: i32, place: u32) -> bool {
        MINE.set(Some(ticket.index));
        self.slots[ticket.index].enter(ticket.number, pid, place)
    }

    /// The calling process, a worker, is connected to `database` and ready.
    pub(crate) fn run(&self, database: pg_sys::Oid) {
        let incarnation = self.incarnations.fetch_add(1, SeqCst) + 1;
        self.my_slot().run(database, incarnation);
        self.state_changed.broadcast();
    }

    /// Says what is to become of the database when the calling process, a worker, has left.
    pub(crate) fn set_ending(ending: Ending) {
        ENDING.set(ending);
    }

    /// The calling process, a worker with this pid, is going. `paused` says that it takes requests for paused, which may have
    /// changed meanwhile.
    pub(crate) fn leave(&self, pid: i32, paused: bool) {
        let slot = self.my_slot();
        let unknown = slot.is_connecting();
        let Some(database) = slot.leave(pid) else { return };
        questions::rouse(database);
        if database != pg_sys::InvalidOid && !unknown {
            let is_noted = match ENDING.get() {
                Ending::Broken => self.agenda.fail(database, clock::now()),
                Ending::Again => false,
                // A commit may have woken a worker that had made up its mind.
                Ending::Done(_) if slot.has_work() => false,
                Ending::Done(Some(at)) => self.agenda.put(database, at),
                Ending::Done(None) => {
                    self.agenda.remove(database);
                    true
                }
            };
            if !is_noted {
                self.ask(database, Reason::Work);
            }
        }
        // After it has left its slot: whoever looks for what it leaves behind must not take it for still there.
        if paused {
            self.first.note_pause();
        }
        self.call_first();
        self.state_changed.broadcast();
    }

    /// Keeps workers out of a database, and asks the one that is there to leave. `None` if too many are closed already.
    pub(crate) fn close(&self, database: pg_sys::Oid) -> Option<Entry> {
        let entry = self.closed.close(database)?;
        if let Some(slot) = self.serving(database) {
            slot.poke();
        }
        Some(entry)
    }

    /// Whether a worker is in a database, or may be on its way there.
    pub(crate) fn may_be_entered(&self, database: pg_sys::Oid) -> bool {
        self.serving(database).is_some() || self.first_slot().is_connecting()
    }

    /// Ends [`close`](Self::close).
    pub(crate) fn reopen(&self, entry: Entry) {
        self.closed.reopen(entry);
        self.call_first();
    }
}

/// Names a slot and the process that was started for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket {
    index: usize,
    number: u32,
}

impl Ticket {
    /// From the argument of a process' main function: 0 for the worker that starts with the server.
    pub(crate) fn from_argument(argument: u32) -> Self {
        Self { index: argument as usize % SLOTS, number: argument / SLOTS as u32 }
    }

    /// Whether it is the worker that starts with the server.
    pub(crate) fn is_first(self) -> bool {
        self.index == 0
    }

    /// The argument for the process' main function.
    pub(crate) fn argument(self) -> u32 {
        self.number * SLOTS as u32 + self.index as u32
    }
}
