use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};
use std::time::Duration;

use pgrx::pg_sys;

use crate::pg::types::clock;
use crate::shmem::{HOME_DATABASE, LaunchRequest, Shared};

/// No process waits at the door: the process is connecting or connected, or there is none.
const NONE: u32 = 0;
/// The process waits to be let in, and comes in by itself if there is no answer.
const WAITS: u32 = 1;
/// The process waits until it is let in: a visitor has found something in its way, or it has made room for others.
const HELD: u32 = 2;
/// The process is let in.
const OPEN: u32 = 3;

/// How long a request leaves what keeps the worker of `pg_net.database_name` out, before a visitor looks again.
const SOON: Duration = Duration::from_secs(1);

/// The worker of `pg_net.database_name` while it is not connected, and what it leaves for the process that comes after it.
#[repr(C)]
pub(crate) struct Home {
    /// One of [`NONE`], [`WAITS`], [`HELD`] and [`OPEN`].
    door: AtomicU32,
    /// Whether the last process left so that other databases have room.
    has_made_room: AtomicBool,
    /// Whether it is to look whom the settings have it serve.
    settings: AtomicBool,
    /// The database of the settings; [`HOME_DATABASE`] if there is none, 0 if that is not known.
    database: AtomicU32,
}

impl Home {
    /// The settings of whom it is to serve may have changed.
    pub(crate) fn look_at_settings(&self) {
        self.settings.store(true, SeqCst);
    }

    /// Whether [`look_at_settings`](Self::look_at_settings) was called since the last call.
    pub(crate) fn take_settings(&self) -> bool {
        self.settings.swap(false, SeqCst)
    }

    /// The calling process, which is the worker, leaves so that other databases have room.
    pub(crate) fn make_room(&self) {
        self.has_made_room.store(true, SeqCst);
    }

    /// Whether the last process left so that other databases have room, and none was let in since.
    pub(crate) fn has_made_room(&self) -> bool {
        self.has_made_room.load(SeqCst)
    }

    /// The database of the settings, which may be none; an invalid oid if that is not known.
    pub(crate) fn database(&self) -> pg_sys::Oid {
        self.database.load(SeqCst).into()
    }

    /// Whether it is known which database the settings name.
    pub(crate) fn is_database_known(&self) -> bool {
        self.database.load(SeqCst) != 0
    }

    /// The database of the settings is this one; there is none if it is invalid.
    pub(crate) fn set_database(&self, database: pg_sys::Oid) {
        let known = if database == pg_sys::InvalidOid { HOME_DATABASE } else { database.to_u32() };
        self.database.store(known, SeqCst);
    }

    /// The calling process, which is the worker, waits from now on to be let in.
    fn wait(&self) {
        // The settings may be others than they were.
        self.database.store(0, SeqCst);
        self.door.store(if self.has_made_room() { HELD } else { WAITS }, SeqCst);
    }

    /// The calling process, which is the worker, waits no more.
    pub(in crate::shmem) fn leave_door(&self) {
        self.door.store(NONE, SeqCst);
    }

    /// Whether a process waits that was not let in yet.
    pub(crate) fn is_waiting(&self) -> bool {
        [WAITS, HELD].contains(&self.door.load(SeqCst))
    }

    /// Whether the process that waits may come in by itself when there is no answer.
    pub(crate) fn may_come_in(&self) -> bool {
        self.door.load(SeqCst) == WAITS
    }

    /// Has the process that waits go on waiting, however long, until it is let in.
    pub(crate) fn hold(&self) {
        let _ = self.door.compare_exchange(WAITS, HELD, SeqCst, SeqCst);
    }

    /// It cannot be told now whether something is in the way: the process may come in by itself, unless it has made room.
    /// Whether that is news.
    fn release(&self) -> bool {
        !self.has_made_room() && self.door.compare_exchange(HELD, WAITS, SeqCst, SeqCst).is_ok()
    }

    /// Lets the process in that waits, if one does.
    fn open(&self) -> bool {
        let open = |from| self.door.compare_exchange(from, OPEN, SeqCst, SeqCst).is_ok();
        let is_open = open(WAITS) || open(HELD);
        if is_open {
            self.has_made_room.store(false, SeqCst);
        }
        is_open
    }

    /// Whether the calling process, which waits, was let in. It waits no more then.
    pub(crate) fn is_let_in(&self) -> bool {
        self.door.compare_exchange(OPEN, NONE, SeqCst, SeqCst).is_ok()
    }

    /// The calling process, which waits, comes in by itself, unless it is held or was let in.
    fn come_in(&self) -> bool {
        self.door.compare_exchange(WAITS, NONE, SeqCst, SeqCst).is_ok()
    }
}

impl Shared {
    /// The calling process, the worker of `pg_net.database_name`, waits from now on to be let in.
    pub(crate) fn wait_for_entry(&self) {
        self.home_slot().set_connecting(false);
        self.home.wait();
        self.launch_requests.add_home();
        self.launcher.call();
        // A command may have waited to see whether it connects.
        self.state_changed.broadcast();
    }

    /// Lets the worker of `pg_net.database_name` in, which waits.
    pub(crate) fn let_home_in(&self, waiting: LaunchRequest) {
        self.launch_requests.remove(waiting);
        if self.home.open() {
            self.home_slot().set_latch();
        }
    }

    /// A session asks for the worker of `pg_net.database_name`, which waits: what a visitor found in its way may be gone.
    pub(crate) fn hurry_home(&self) {
        if !self.home.may_come_in() {
            self.wake_schedule.shorten(HOME_DATABASE, clock::after(clock::now(), SOON));
        }
    }

    /// Has the worker of `pg_net.database_name`, if it waits to be let in, come in by itself: it cannot be told what is in its way.
    pub(crate) fn release_home(&self) {
        if self.home.release() {
            self.home_slot().set_latch();
        }
    }

    /// The calling process, the worker of `pg_net.database_name`, comes in by itself: there was no answer. Whether it may.
    pub(crate) fn come_in(&self, max_workers: usize) -> bool {
        let is_in = self.blocked.is_empty() && self.others() < max_workers && self.home.come_in();
        if is_in {
            self.launch_requests.remove_home();
        }
        is_in
    }
}
