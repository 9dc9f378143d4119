use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::SeqCst};

use pgrx::pg_sys;

/// There is nobody at the door: the process is connecting or connected, or there is none.
const NOBODY: u32 = 0;
/// The process waits to be let in, and comes in by itself if nobody answers.
const WAITS: u32 = 1;
/// The process waits until it is let in: a visitor has found something in its way, or it has made room for others.
const HELD: u32 = 2;
/// The process is let in.
const OPEN: u32 = 3;

/// What stands for the database of the settings where there is none.
const NONE: u32 = u32::MAX;

/// The worker of `pg_net.database_name` while it is not connected, and what it leaves for the process that comes after it.
#[repr(C)]
pub(crate) struct Home {
    /// How many starts in a row have not come to run.
    failed_starts: AtomicU32,
    /// One of [`NOBODY`], [`WAITS`], [`HELD`] and [`OPEN`].
    door: AtomicU32,
    /// Counts how often a process came to wait, or has reason to be looked after anew.
    waits: AtomicU32,
    /// Whether the last process left so that other databases have room.
    has_made_room: AtomicBool,
    /// Whether it is to look whom the settings have it serve.
    settings: AtomicBool,
    /// The database of the settings; [`NONE`] if there is none, 0 if that is not known.
    database: AtomicU32,
}

impl Home {
    /// How many starts in a row have not come to run.
    pub(crate) fn failed_starts(&self) -> u32 {
        self.failed_starts.load(SeqCst)
    }

    /// Counts a start, until [`succeed`](Self::succeed) says that it came to run.
    pub(crate) fn count_start(&self) {
        self.failed_starts.fetch_add(1, SeqCst);
    }

    /// The worker came to run, or has reason to try as if it had.
    pub(crate) fn succeed(&self) {
        self.failed_starts.store(0, SeqCst);
    }

    /// Somebody changed whom it is to serve, perhaps.
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
        let none = database == pg_sys::InvalidOid;
        self.database.store(if none { NONE } else { database.to_u32() }, SeqCst);
    }

    /// The calling process, which is the worker, waits from now on to be let in.
    pub(super) fn wait(&self) {
        // The settings may be others than they were.
        self.database.store(0, SeqCst);
        self.door.store(if self.has_made_room() { HELD } else { WAITS }, SeqCst);
        self.waits.fetch_add(1, SeqCst);
    }

    /// Which of all waits this is.
    pub(crate) fn waits(&self) -> u32 {
        self.waits.load(SeqCst)
    }

    /// The calling process, which is the worker, waits no more.
    pub(super) fn leave_door(&self) {
        self.door.store(NOBODY, SeqCst);
    }

    /// Whether a process waits that was not let in yet.
    pub(crate) fn is_waiting(&self) -> bool {
        [WAITS, HELD].contains(&self.door.load(SeqCst))
    }

    /// Whether the process that waits may come in by itself when nobody answers.
    pub(crate) fn may_come_in(&self) -> bool {
        self.door.load(SeqCst) == WAITS
    }

    /// Has the process that waits go on waiting, however long, until it is let in.
    pub(crate) fn hold(&self) {
        let _ = self.door.compare_exchange(WAITS, HELD, SeqCst, SeqCst);
    }

    /// Nobody can tell now whether something is in the way: the process may come in by itself, unless it has made room.
    /// Whether that is news.
    pub(super) fn release(&self) -> bool {
        !self.has_made_room() && self.door.compare_exchange(HELD, WAITS, SeqCst, SeqCst).is_ok()
    }

    /// Lets the process in that waits, if one does.
    pub(super) fn open(&self) -> bool {
        let open = |from| self.door.compare_exchange(from, OPEN, SeqCst, SeqCst).is_ok();
        let is_open = open(WAITS) || open(HELD);
        if is_open {
            self.has_made_room.store(false, SeqCst);
        }
        is_open
    }

    /// Whether the calling process, which waits, was let in. It waits no more then.
    pub(crate) fn is_let_in(&self) -> bool {
        self.door.compare_exchange(OPEN, NOBODY, SeqCst, SeqCst).is_ok()
    }

    /// The calling process, which waits, comes in by itself, if nobody holds it or has let it in.
    pub(super) fn come_in(&self) -> bool {
        self.door.compare_exchange(WAITS, NOBODY, SeqCst, SeqCst).is_ok()
    }
}
