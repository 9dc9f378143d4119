//! What the server's processes share: who the worker is, and what has been committed for it.
//!
//! Numbers only, never pointers; and every field is one that a commit callback may touch: it cannot raise.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicI64, AtomicPtr, AtomicU32, AtomicU64, Ordering::SeqCst};

use pgrx::pg_sys::ffi::pg_guard_ffi_boundary;
use pgrx::{pg_guard, pg_sys};

use crate::pg::{latch, server};

mod condition;
mod notes;

pub(crate) use condition::Condition;
pub(crate) use notes::Notes;

/// The piece of shared memory that is ours.
#[repr(C)]
pub(crate) struct Shared {
    /// The worker's process; 0 while it does not run.
    pid: AtomicI32,
    /// Its place among the server's processes.
    place: AtomicU32,
    /// The database that it serves or is about to connect to.
    database: AtomicU32,
    /// Counts the workers that came to run.
    incarnation: AtomicU64,
    /// A worker of an incarnation below this one is to leave.
    wanted: AtomicU64,
    /// Whether that worker runs, which is to say: is connected.
    running: AtomicBool,
    /// Whether a commit asked for the queue to be read.
    work: AtomicBool,
    /// Row keys that commits have brought.
    pub(crate) notes: Notes,
    /// How many starts in a row have not come to run.
    failed_starts: AtomicU32,
    /// Whether a start that looked from outside found that the next one can connect.
    looked: AtomicBool,
    /// A database that the worker must leave and not enter, while a command needs it to itself.
    closed_database: AtomicU32,
    /// Counts the transactions that recorded outcomes.
    records: AtomicI64,
    /// Broadcast when the worker comes to run, and when it goes.
    pub(crate) state_changed: Condition,
    /// Broadcast when outcomes have been recorded.
    pub(crate) recorded: Condition,
}

static SHARED: AtomicPtr<Shared> = AtomicPtr::new(ptr::null_mut());

/// The shared piece; set up before any process that could ask for it exists.
pub(crate) fn get() -> &'static Shared {
    let shared = SHARED.load(SeqCst);
    assert!(!shared.is_null(), "pg_net's shared memory is not set up");
    // SAFETY: set once by `startup` to memory that stays until the server ends; everything in it may be shared.
    unsafe { &*shared }
}

impl Shared {
    fn initialize(&mut self) {
        // The memory comes zeroed, which is right for every number but these.
        self.notes.initialize();
        self.state_changed.initialize();
        self.recorded.initialize();
    }

    /// A commit has something for the worker.
    pub(crate) fn wake_worker(&self) {
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

    /// Whether a worker is connected.
    pub(crate) fn is_running(&self) -> bool {
        self.running.load(SeqCst)
    }

    /// Whether a worker is connected that nobody has asked to leave.
    pub(crate) fn is_running_as_wanted(&self) -> bool {
        self.is_running() && self.incarnation.load(SeqCst) >= self.wanted.load(SeqCst)
    }

    /// Asks the worker that runs now to make room for a new one.
    pub(crate) fn restart_worker(&self) {
        self.wanted.store(self.incarnation.load(SeqCst) + 1, SeqCst);
        self.poke();
    }

    /// How many transactions have recorded outcomes.
    pub(crate) fn records(&self) -> i64 {
        self.records.load(SeqCst)
    }

    /// Outcomes have been recorded and committed.
    pub(crate) fn count_record(&self) {
        self.records.fetch_add(1, SeqCst);
        self.recorded.broadcast();
    }

    /// The calling process is the worker from now on, though not connected yet.
    pub(crate) fn enter(&self, pid: i32, place: u32) {
        self.running.store(false, SeqCst);
        self.place.store(place, SeqCst);
        self.pid.store(pid, SeqCst);
    }

    /// The worker is connected to `database` and ready. Gives its incarnation.
    pub(crate) fn run(&self, database: pg_sys::Oid) -> u64 {
        self.database.store(database.to_u32(), SeqCst);
        self.failed_starts.store(0, SeqCst);
        let incarnation = self.incarnation.fetch_add(1, SeqCst) + 1;
        self.running.store(true, SeqCst);
        self.state_changed.broadcast();
        incarnation
    }

    /// The worker, which has this pid, is going.
    pub(crate) fn leave(&self, pid: i32) {
        if self.pid.load(SeqCst) == pid {
            self.running.store(false, SeqCst);
            self.database.store(0, SeqCst);
            self.pid.store(0, SeqCst);
            self.state_changed.broadcast();
        }
    }

    /// Whether the worker of this incarnation, in this database, is to go.
    pub(crate) fn must_leave(&self, incarnation: u64, database: pg_sys::Oid) -> bool {
        incarnation < self.wanted.load(SeqCst) || self.is_closed(database)
    }

    /// Counts a start, until [`run`](Self::run) says that it succeeded. Gives how many before it failed.
    pub(crate) fn count_start(&self) -> u32 {
        self.failed_starts.fetch_add(1, SeqCst)
    }

    /// A look from outside found that a connection can succeed.
    pub(crate) fn set_looked(&self) {
        self.looked.store(true, SeqCst);
    }

    /// Whether there was such a look since the last call.
    pub(crate) fn take_looked(&self) -> bool {
        self.looked.swap(false, SeqCst)
    }

    /// Keeps the worker out of a database; false if another one is closed already.
    pub(crate) fn close(&self, database: pg_sys::Oid) -> bool {
        let closed = self.closed_database.compare_exchange(0, database.to_u32(), SeqCst, SeqCst).is_ok();
        if closed {
            self.poke();
        }
        closed
    }

    /// Ends [`close`](Self::close).
    pub(crate) fn reopen(&self) {
        self.closed_database.store(0, SeqCst);
        self.poke();
    }

    /// Whether the worker is kept out of a database.
    pub(crate) fn is_closed(&self, database: pg_sys::Oid) -> bool {
        self.closed_database.load(SeqCst) == database.to_u32()
    }

    /// Whether the worker is kept out of any database.
    pub(crate) fn is_any_closed(&self) -> bool {
        self.closed_database.load(SeqCst) != 0
    }
}

/// Asks for the shared memory. Called once, while the library is preloaded.
pub(crate) fn reserve() {
    // SAFETY: the hooks are set in the postmaster before it makes the shared memory; each calls the one before it.
    unsafe {
        #[cfg(any(feature = "pg13", feature = "pg14"))]
        pg_sys::RequestAddinShmemSpace(size_of::<Shared>());
        #[cfg(not(any(feature = "pg13", feature = "pg14")))]
        {
            NEXT_REQUEST = pg_sys::shmem_request_hook;
            pg_sys::shmem_request_hook = Some(request);
        }
        NEXT_STARTUP = pg_sys::shmem_startup_hook;
        pg_sys::shmem_startup_hook = Some(startup);
    }
}

type Hook = Option<unsafe extern "C-unwind" fn()>;
#[cfg(not(any(feature = "pg13", feature = "pg14")))]
static mut NEXT_REQUEST: Hook = None;
static mut NEXT_STARTUP: Hook = None;

#[cfg(not(any(feature = "pg13", feature = "pg14")))]
#[pg_guard]
unsafe extern "C-unwind" fn request() {
    // SAFETY: only the postmaster runs this, once; the hook before ours is called as Postgres would.
    unsafe {
        if let Some(next) = NEXT_REQUEST {
            pg_guard_ffi_boundary(|| next());
        }
        pg_sys::RequestAddinShmemSpace(size_of::<Shared>());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn startup() {
    // SAFETY: as in `request`. The memory is zeroed, large enough, and aligned for any type; after a crash it is made anew.
    unsafe {
        if let Some(next) = NEXT_STARTUP {
            pg_guard_ffi_boundary(|| next());
        }
        let mut found = false;
        let shared = pg_sys::ShmemInitStruct(c"pg_net".as_ptr(), size_of::<Shared>(), &mut found).cast::<Shared>();
        if !found {
            ptr::write_bytes(shared, 0, 1);
            (*shared).initialize();
        }
        SHARED.store(shared, SeqCst);
    }
}
