use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicU32, AtomicU64, Ordering::SeqCst};

use pgrx::pg_sys;

use crate::pg::process::{latch, server};

/// The launcher: its process, what others tell it, and what it leaves for the process that comes after it.
#[repr(C)]
pub(crate) struct LauncherState {
    /// Its process; 0 while there is none.
    pid: AtomicI32,
    /// Its place among the server's processes.
    place: AtomicU32,
    /// Whether its process has ended, and another one is to come.
    is_missing: AtomicBool,
    /// Whether workers may have left requests in their queues because of a pause.
    paused: AtomicBool,
    /// Whether workers may have left requests in their queues because their databases were read only.
    read_only: AtomicBool,
    /// All databases from this oid on are to be visited; 0 when all have been.
    visit_from: AtomicU32,
    /// The role that workers connect as, by the last visit; 0 is the bootstrap superuser.
    role: AtomicU32,
    /// Counts the visits that came to their end.
    visits: AtomicU32,
    /// What keeps the workers' role from connecting, and stands in the log, as a number; 0: nothing.
    told_of_role: AtomicU64,
    /// The same for the database of the settings.
    told_of_home: AtomicU64,
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

impl LauncherState {
    pub(super) fn initialize(&mut self) {
        *self.visit_from.get_mut() = 1;
    }

    /// The calling process is the launcher from now on.
    pub(super) fn enter(&self, pid: i32, place: u32) {
        self.place.store(place, SeqCst);
        self.pid.store(pid, SeqCst);
        self.is_missing.store(false, SeqCst);
    }

    /// The launcher, which has this pid, is going.
    pub(super) fn leave(&self, pid: i32) {
        if self.pid.compare_exchange(pid, 0, SeqCst, SeqCst).is_ok() {
            self.is_missing.store(true, SeqCst);
        }
    }

    /// Whether there is a process.
    pub(crate) fn has_process(&self) -> bool {
        self.pid.load(SeqCst) != 0
    }

    /// Whether the process has ended, and another one is to come.
    pub(crate) fn is_missing(&self) -> bool {
        self.is_missing.load(SeqCst)
    }

    /// Has the launcher look who waits for a worker. Where there is no launcher, sees to it that one comes.
    pub(crate) fn call(&self) {
        match self.pid.load(SeqCst) {
            0 => server::nudge_postmaster(),
            pid => latch::set(self.place.load(SeqCst), pid),
        }
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

    /// The role that workers connect as, by the last visit; an invalid oid is the bootstrap superuser.
    pub(crate) fn role(&self) -> pg_sys::Oid {
        self.role.load(SeqCst).into()
    }

    /// A visitor found that workers connect as this role.
    pub(crate) fn set_role(&self, role: pg_sys::Oid) {
        self.role.store(role.to_u32(), SeqCst);
    }

    /// A visit came to its end.
    pub(crate) fn count_visit(&self) {
        self.visits.fetch_add(1, SeqCst);
    }

    /// How many visits came to their end.
    pub(crate) fn visits(&self) -> u32 {
        self.visits.load(SeqCst)
    }

    /// Whether the log is yet to be told that this keeps the workers' role from connecting.
    pub(crate) fn is_news_of_role(&self, obstacle: &str) -> bool {
        is_news(&self.told_of_role, obstacle)
    }

    /// Whether the log is yet to be told that this keeps a worker from the database of the settings.
    pub(crate) fn is_news_of_home(&self, obstacle: &str) -> bool {
        is_news(&self.told_of_home, obstacle)
    }

    /// Nothing keeps a worker from the database of the settings.
    pub(crate) fn clear_news_of_home(&self) {
        self.told_of_home.store(0, SeqCst);
    }

    /// The configuration may have changed what is in the way of the role.
    pub(crate) fn clear_news_of_role(&self) {
        self.told_of_role.store(0, SeqCst);
    }

    /// Whether the log is yet to be told that a bound, which is `value` now, is too low.
    pub(crate) fn is_news(&self, bound: Bound, value: i32) -> bool {
        self.told[bound as usize].swap(value, SeqCst) != value
    }
}

/// Whether a text is another one than was told last.
fn is_news(told: &AtomicU64, text: &str) -> bool {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    let number = hasher.finish().max(1);
    told.swap(number, SeqCst) != number
}
