//! What the server's processes share: who the workers are, what has been committed for them, who waits for one.
//!
//! Numbers only, never pointers; and every field is one that a commit callback may touch: it cannot raise.
//!
//! Nothing that a commit brings is missed, whatever its database's worker does at that moment. Where a slot serves the
//! database, the commit leaves its row keys there and then looks whether the slot still does; where none does, it requests
//! the launch of a worker. A worker that leaves frees its slot first and then looks whether there are keys. One that comes takes
//! its slot first and then reads the queue.

use std::cell::Cell;
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use engine::Key;
pub(crate) use pg_net_core::launch_requests::{HOME_DATABASE, LaunchRequest, LaunchRequests, Reason, Verdict};
use pg_net_core::wake_schedule::WakeSchedule;
use pgrx::pg_sys;

use crate::pg::process::condition_variable::ConditionVariable;
use crate::pg::types::clock::{self, Timestamp};

mod blocked_databases;
pub(crate) mod cancellations;
mod launcher_state;
mod origin_health;
mod per_process;
mod segment;
mod session_defaults;
pub(crate) mod waiters;
mod worker;
pub(crate) mod worker_calls;

pub(crate) use blocked_databases::{Block, BlockedDatabases};
pub(crate) use launcher_state::{Bound, LauncherState};
pub(crate) use origin_health::{Origins, STANDING_DEFERRED, STANDING_HEALTHY, STANDING_PROBING, Sick};
pub(crate) use segment::{get, reserve};
pub(crate) use session_defaults::SessionDefaults;
pub(crate) use worker::home::Home;
pub(crate) use worker::removals::Removals;
pub(crate) use worker::slot::Slot;
pub(crate) use worker::ticket::Ticket;

/// How many workers there may be at once.
pub(crate) const SLOTS: usize = 64;

/// The piece of shared memory that is ours.
#[repr(C)]
pub(crate) struct Shared {
    /// The workers. The first slot is that of the worker of `pg_net.database_name`.
    slots: [Slot; SLOTS],
    pub(crate) home: Home,
    pub(crate) launcher: LauncherState,
    pub(crate) launch_requests: LaunchRequests,
    pub(crate) wake_schedule: WakeSchedule,
    pub(crate) blocked: BlockedDatabases,
    pub(crate) session_defaults: SessionDefaults,
    /// Which settings that are none the log has been told of since the server started, as a number; 0: not since.
    pub(crate) told_settings: AtomicU64,
    /// Who makes room for databases that wait for workers which cannot be started, when idle or after a turn: a [`Crowd`].
    crowded: AtomicU32,
    /// Counts the workers that came to run.
    incarnations: AtomicU64,
    /// Counts the processes that were started for a slot.
    tickets: AtomicU32,
    pub(crate) origins: Origins,
    /// Broadcast when a worker comes to run, and when one goes.
    pub(crate) state_changed: ConditionVariable,
}

/// What is to become of a worker's database when the worker has left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitReason {
    /// It ended in a way that was not planned: another one comes after a pause.
    Broken,
    /// It left before it was done: another one is to come.
    Again,
    /// There is nothing to do; at this time there will be, if any is given.
    Done(Option<i64>),
}

/// Who is to make room for databases that wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Crowd {
    /// None of them.
    None = 0,
    /// Workers that were started on demand.
    Others = 1,
    /// All: there is none but the worker of `pg_net.database_name`.
    All = 2,
}

thread_local! {
    /// The slot of this process, where it is a worker.
    static MINE: Cell<Option<usize>> = const { Cell::new(None) };
    static EXIT_REASON: Cell<ExitReason> = const { Cell::new(ExitReason::Broken) };
}

impl Shared {
    fn initialize(&mut self) {
        // The memory comes zeroed, which is right for every number but these.
        self.slots.iter_mut().for_each(Slot::initialize);
        self.launcher.initialize();
        self.state_changed.initialize();
    }

    /// The slot of the worker of `pg_net.database_name`.
    pub(crate) fn home_slot(&self) -> &Slot {
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

    /// Whether a worker serves the database, and was not asked to leave.
    pub(crate) fn is_served(&self, database: pg_sys::Oid) -> bool {
        self.serving(database).is_some_and(Slot::is_running_as_wanted)
    }

    /// A transaction in `database` has committed that brings rows with keys in a range, the first of them due at a time if they
    /// are not at once, which are to be read now or with the next that asks for it.
    pub(crate) fn publish(&self, database: pg_sys::Oid, keys: Option<(Key, Key)>, due: Option<Timestamp>, wake: bool) {
        let Some(slot) = self.serving(database) else {
            if wake {
                self.request_launch(database, Reason::Work);
            }
            return;
        };
        if let Some((lowest, highest)) = keys {
            slot.pending_keys.note(lowest, highest);
        }
        if let Some(due) = due {
            slot.pending_keys.note_due(due);
        }
        if wake {
            slot.wake();
            if !slot.serves(database) {
                self.request_launch(database, Reason::Work);
            }
        }
    }

    /// A transaction in `database` has committed that may have taken rows out of the queue. Where no worker serves the database
    /// there is nothing claimed, and one that comes reads the queue as it is.
    pub(crate) fn remove(&self, database: pg_sys::Oid, emptied: bool) {
        if let Some(slot) = self.serving(database) {
            slot.removals.note(emptied);
            slot.set_latch();
        }
        waiters::tell_all(database);
    }

    /// Requests the launch of a worker for a database that has none.
    pub(crate) fn request_launch(&self, database: pg_sys::Oid, reason: Reason) {
        self.note_launch_request(database, reason);
        self.launcher.call();
    }

    /// The same, for the launcher, which is about to look.
    pub(crate) fn note_launch_request(&self, database: pg_sys::Oid, reason: Reason) {
        if !self.launch_requests.add(database, reason) {
            self.launcher.visit_all();
        }
    }

    /// Asks the worker of a database, if there is one, to make room for a new one.
    pub(crate) fn restart(&self, database: pg_sys::Oid) {
        self.home.look_at_settings();
        if let Some(slot) = self.serving(database) {
            slot.request_exit();
        }
        self.home_slot().set_latch();
    }

    /// What sessions of a database, or of all, are given at their beginning has changed. Workers look at what concerns them;
    /// where there is none, one comes to look.
    pub(crate) fn change_defaults(&self, database: Option<pg_sys::Oid>) {
        self.session_defaults.change();
        self.set_all_latches();
        match database {
            Some(database) => self.request_launch(database, Reason::Visit),
            None => self.visit_all(),
        }
    }

    /// Has all databases visited that no worker serves.
    pub(crate) fn visit_all(&self) {
        self.launcher.visit_all();
        self.launcher.call();
    }

    /// Whether the calling process, a worker, is to make room for databases that wait.
    pub(crate) fn is_room_wanted(&self) -> bool {
        let least = if MINE.get() == Some(0) { Crowd::All } else { Crowd::Others };
        self.crowded.load(SeqCst) >= least as u32
    }

    /// Says who is to make room for databases that wait. They hear of it.
    pub(crate) fn set_crowded(&self, crowd: Crowd) {
        if self.crowded.swap(crowd as u32, SeqCst) < crowd as u32 {
            self.set_all_latches();
        }
    }

    fn set_all_latches(&self) {
        self.slots.iter().filter(|slot| slot.has_process()).for_each(Slot::set_latch);
    }

    /// How many slots are taken, besides that of the worker of `pg_net.database_name`.
    pub(crate) fn others(&self) -> usize {
        self.slots[1..].iter().filter(|slot| slot.is_taken()).count()
    }

    /// How many slots are taken, or reserved for the worker of `pg_net.database_name`.
    pub(crate) fn taken(&self) -> usize {
        let is_out = self.home.is_waiting() || self.home.has_made_room();
        self.others() + usize::from(!is_out)
    }

    /// Gives a database a slot for a process that is about to be started. What that process must show; `None` if all slots
    /// are taken.
    pub(crate) fn assign(&self, database: pg_sys::Oid, role: pg_sys::Oid, reason: Reason) -> Option<Ticket> {
        let index = (1..SLOTS).find(|&index| !self.slots[index].is_taken())?;
        // As many bits as fit beside the index; never 0.
        let number = (self.tickets.fetch_add(1, SeqCst) & 0xff_ffff).max(1);
        self.slots[index].assign(database, role, reason == Reason::Visit, number);
        Some(Ticket::new(index, number))
    }

    /// Takes a slot back whose process has not come. The database that it was for.
    pub(crate) fn revoke(&self, ticket: Ticket) -> Option<pg_sys::Oid> {
        self.slots[ticket.index()].revoke().inspect(|&database| worker_calls::wake_callers(database))
    }

    /// Takes the slots back whose processes have not come, and has others started. For a launcher that took the place of
    /// another one: it would not hear of processes that fail to come.
    fn revoke_all(&self) {
        for slot in &self.slots[1..] {
            if let Some(database) = slot.revoke() {
                worker_calls::wake_callers(database);
                self.note_launch_request(database, Reason::Work);
            }
        }
    }

    /// Whether the process of a ticket is yet to come.
    pub(crate) fn is_pending(&self, ticket: Ticket) -> bool {
        self.slots[ticket.index()].is_pending()
    }

    /// The calling process is a worker from now on, though not connected yet. False if no slot waits for it.
    pub(crate) fn enter(&self, ticket: Ticket, pid: i32, place: u32) -> bool {
        MINE.set(Some(ticket.index()));
        if ticket.is_home() {
            self.home_slot().admit();
        }
        self.slots[ticket.index()].enter(ticket.number(), pid, place)
    }

    /// The calling process, a worker, is connected to `database` and ready.
    pub(crate) fn run(&self, database: pg_sys::Oid) {
        let incarnation = self.incarnations.fetch_add(1, SeqCst) + 1;
        self.my_slot().run(database, incarnation);
        self.state_changed.broadcast();
        if MINE.get() == Some(0) {
            self.home.set_database(database);
            self.wake_schedule.remove(HOME_DATABASE);
            // What was asked for there while it was on its way has been left to it.
            self.launcher.call();
        }
    }

    /// Says what is to become of the database when the calling process, a worker, has left.
    pub(crate) fn set_exit_reason(ending: ExitReason) {
        EXIT_REASON.set(ending);
    }

    /// The calling process, a worker with this pid, is going. `paused` says that it takes requests for paused, which may have
    /// changed meanwhile.
    pub(crate) fn leave(&self, pid: i32, paused: bool) {
        let slot = self.my_slot();
        let is_home = MINE.get() == Some(0);
        let unknown = slot.is_connecting();
        let Some(database) = slot.leave(pid) else { return };
        if is_home {
            self.home.leave_door();
            self.launch_requests.remove_home();
            if unknown {
                self.wake_schedule.fail(HOME_DATABASE, clock::now());
            }
        }
        worker_calls::wake_callers(database);
        // One that has made room comes back by itself.
        if database != pg_sys::InvalidOid && !unknown && !(is_home && self.home.has_made_room()) {
            let is_noted = match EXIT_REASON.get() {
                ExitReason::Broken => self.wake_schedule.fail(database, clock::now()),
                ExitReason::Again => false,
                // A commit may have woken a worker that had made up its mind.
                ExitReason::Done(_) if slot.has_work() => false,
                ExitReason::Done(Some(at)) => self.wake_schedule.put(database, at),
                ExitReason::Done(None) => {
                    self.wake_schedule.remove(database);
                    true
                }
            };
            if !is_noted {
                self.note_launch_request(database, Reason::Work);
            }
        }
        // After it has left its slot: a process that looks for what it leaves behind must not take it for still there.
        if paused {
            self.launcher.note_pause();
        }
        self.launcher.call();
        self.state_changed.broadcast();
    }

    /// The calling process is the launcher from now on.
    pub(crate) fn enter_launcher(&self, pid: i32, place: u32) {
        self.launcher.enter(pid, place);
        self.revoke_all();
    }

    /// The launcher, which has this pid, is going. The workers see to it that another one comes.
    pub(crate) fn leave_launcher(&self, pid: i32) {
        self.launcher.leave(pid);
        self.set_all_latches();
    }

    /// Keeps workers out of a database, and asks the one that is there to leave. `None` if too many are blocked already.
    pub(crate) fn block(&self, database: pg_sys::Oid) -> Option<Block> {
        let block = self.blocked.block(database)?;
        if let Some(slot) = self.serving(database) {
            slot.set_latch();
        }
        Some(block)
    }

    /// Whether a worker is in a database, or may be on its way there.
    pub(crate) fn may_be_entered(&self, database: pg_sys::Oid) -> bool {
        self.serving(database).is_some() || self.home_slot().is_connecting()
    }

    /// Ends [`block`](Self::block).
    pub(crate) fn unblock(&self, block: Block) {
        let database = self.blocked.unblock(block);
        // The command may have changed it.
        self.launch_requests.forget(Some(database.into()));
        self.launcher.call();
    }
}
