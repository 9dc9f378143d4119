use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, Ordering::SeqCst};

use pgrx::pg_sys;

/// What the first worker, which starts with the server, is told by others and leaves for the process that comes after it.
#[repr(C)]
pub(crate) struct First {
    /// How many starts in a row have not come to run.
    failed_starts: AtomicU32,
    /// Whether a start that looked from outside found that the next one can connect.
    looked: AtomicBool,
    /// Whether it is to look whom the settings have it serve.
    settings: AtomicBool,
    /// Whether it is to look who waits for a worker.
    launch: AtomicBool,
    /// Whether workers may have left requests in their queues because of a pause.
    paused: AtomicBool,
    /// Whether workers may have left requests in their queues because their databases were read only.
    read_only: AtomicBool,
    /// All databases from this oid on are to be visited; 0 when all have been.
    visit_from: AtomicU32,
    /// The database that it is to serve next, out of turn: nobody else can. 0 for its own.
    turn: AtomicU32,
    /// The role for that.
    turn_role: AtomicU32,
    /// The bounds, `pg_net.max_workers` and `max_worker_processes`, that the log has been told are too low.
    told: [AtomicI32; 2],
}

/// What keeps a database from getting a worker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Bound {
    /// `pg_net.max_workers`.
    Workers = 0,
    /// `max_worker_processes`.
    Processes = 1,
}

impl First {
    pub(super) fn initialize(&mut self) {
        *self.visit_from.get_mut() = 1;
    }

    /// Counts a start, until [`succeed`](Self::succeed) says that it came to run. Gives how many before it did not.
    pub(crate) fn count_start(&self) -> u32 {
        self.failed_starts.fetch_add(1, SeqCst)
    }

    /// The worker came to run.
    pub(crate) fn succeed(&self) {
        self.failed_starts.store(0, SeqCst);
    }

    /// A look from outside found that a connection can succeed.
    pub(crate) fn set_looked(&self) {
        self.looked.store(true, SeqCst);
    }

    /// Whether there was such a look since the last call.
    pub(crate) fn take_looked(&self) -> bool {
        self.looked.swap(false, SeqCst)
    }

    /// Somebody changed whom it is to serve, perhaps.
    pub(crate) fn look_at_settings(&self) {
        self.settings.store(true, SeqCst);
    }

    /// Whether [`look_at_settings`](Self::look_at_settings) was called since the last call.
    pub(crate) fn take_settings(&self) -> bool {
        self.settings.swap(false, SeqCst)
    }

    /// Somebody waits for a worker, or one has left.
    pub(crate) fn set_launch(&self) {
        self.launch.store(true, SeqCst);
    }

    /// Whether [`set_launch`](Self::set_launch) was called since the last call.
    pub(crate) fn take_launch(&self) -> bool {
        self.launch.swap(false, SeqCst)
    }

    /// Whether [`set_launch`](Self::set_launch) was called since the last [`take_launch`](Self::take_launch).
    pub(crate) fn has_launch(&self) -> bool {
        self.launch.load(SeqCst)
    }

    /// Requests are paused: what waits is to be looked for when the pause has ended.
    pub(crate) fn note_pause(&self) {
        self.paused.store(true, SeqCst);
    }

    /// Whether [`note_pause`](Self::note_pause) was called since the last call.
    pub(crate) fn take_pause(&self) -> bool {
        self.paused.swap(false, SeqCst)
    }

    /// A worker leaves a database that is read only: what waits is to be looked for when the configuration may have changed that.
    pub(crate) fn note_read_only(&self) {
        self.read_only.store(true, SeqCst);
    }

    /// Whether [`note_read_only`](Self::note_read_only) was called since the last call.
    pub(crate) fn take_read_only(&self) -> bool {
        self.read_only.swap(false, SeqCst)
    }

    /// All databases are to be visited.
    pub(crate) fn visit_all(&self) {
        self.visit_from.store(1, SeqCst);
    }

    /// The lowest oid of the databases that are yet to be visited, if any are.
    pub(crate) fn visit_from(&self) -> Option<u32> {
        Some(self.visit_from.load(SeqCst)).filter(|&oid| oid != 0)
    }

    /// All up to `next`, or all there are, have been asked for; unless all are to be visited again meanwhile.
    pub(crate) fn visited(&self, from: u32, next: Option<u32>) {
        let _ = self.visit_from.compare_exchange(from, next.unwrap_or(0), SeqCst, SeqCst);
    }

    /// Has the next start serve this database.
    pub(crate) fn set_turn(&self, database: pg_sys::Oid, role: pg_sys::Oid) {
        self.turn_role.store(role.to_u32(), SeqCst);
        self.turn.store(database.to_u32(), SeqCst);
    }

    /// Whether the next start serves a database out of turn.
    pub(crate) fn has_turn(&self) -> bool {
        self.turn.load(SeqCst) != 0
    }

    /// The database that this start serves out of turn, and the role.
    pub(crate) fn take_turn(&self) -> Option<(pg_sys::Oid, pg_sys::Oid)> {
        let database = self.turn.swap(0, SeqCst);
        (database != 0).then(|| (database.into(), self.turn_role.load(SeqCst).into()))
    }

    /// Whether the log is yet to be told that a bound, which is `value` now, is too low.
    pub(crate) fn is_news(&self, bound: Bound, value: i32) -> bool {
        self.told[bound as usize].swap(value, SeqCst) != value
    }
}
