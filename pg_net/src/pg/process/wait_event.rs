//! What `pg_stat_activity` says that a process of ours waits for. Postgres 17 and later have names for it; before, all of it is
//! `Extension`.

#[cfg(any(feature = "pg17", feature = "pg18"))]
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};

use pgrx::pg_sys;

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitEvent {
    /// A worker waits for requests, replies and timers.
    Worker,
    /// The worker of the first database waits until it may connect.
    WorkerEntry,
    /// The launcher waits for a database that needs a worker.
    Launcher,
    /// A process waits for the end of one that it has started.
    ProcessEnd,
    /// A session waits for a response.
    Response,
    /// A session waits for what the worker says to a question.
    WorkerAnswer,
}

impl WaitEvent {
    #[cfg(not(any(feature = "pg17", feature = "pg18")))]
    pub(super) fn id(self) -> u32 {
        pg_sys::PG_WAIT_EXTENSION
    }

    /// The number that stands for it in this server. Asked for once a process: no process has one before there is shared memory.
    #[cfg(any(feature = "pg17", feature = "pg18"))]
    pub(super) fn id(self) -> u32 {
        const UNKNOWN: u32 = 0;
        static IDS: [AtomicU32; 6] = [const { AtomicU32::new(UNKNOWN) }; 6];
        let known = &IDS[self as usize];
        match known.load(Relaxed) {
            UNKNOWN => {
                // SAFETY: the name is a C string; all that is waited in is connected to the shared memory.
                let id = unsafe { pg_sys::WaitEventExtensionNew(self.name().as_ptr()) };
                known.store(id, Relaxed);
                id
            }
            id => id,
        }
    }

    #[cfg(any(feature = "pg17", feature = "pg18"))]
    fn name(self) -> &'static std::ffi::CStr {
        match self {
            Self::Worker => c"PgNetWorkerMain",
            Self::WorkerEntry => c"PgNetWorkerEntry",
            Self::Launcher => c"PgNetLauncherMain",
            Self::ProcessEnd => c"PgNetProcessEnd",
            Self::Response => c"PgNetResponse",
            Self::WorkerAnswer => c"PgNetWorkerAnswer",
        }
    }
}
