use std::sync::atomic::{AtomicU32, Ordering::SeqCst};

use pgrx::pg_sys;

/// How many commands that need a database to themselves are known at once. Those beyond go on unaided.
const MOST: usize = 32;

/// Databases that workers must leave and not enter, while a command needs them to itself: an entry a command.
#[repr(C)]
pub(crate) struct BlockedDatabases {
    databases: [AtomicU32; MOST],
}

/// A command's entry. No guard: an abort of the transaction would jump over its drop.
#[derive(Clone, Copy)]
pub(crate) struct Block(usize);

impl BlockedDatabases {
    /// Keeps workers out of a database until [`unblock`](Self::unblock); `None` if there are too many such commands already.
    pub(super) fn block(&self, database: pg_sys::Oid) -> Option<Block> {
        let take = |entry: &AtomicU32| entry.compare_exchange(0, database.to_u32(), SeqCst, SeqCst).is_ok();
        self.databases.iter().position(take).map(Block)
    }

    /// Ends [`block`](Self::block). The database.
    pub(super) fn unblock(&self, entry: Block) -> pg_sys::Oid {
        self.databases[entry.0].swap(0, SeqCst).into()
    }

    /// Whether workers are kept out of a database.
    pub(crate) fn contains(&self, database: pg_sys::Oid) -> bool {
        database != pg_sys::InvalidOid && self.databases.iter().any(|entry| entry.load(SeqCst) == database.to_u32())
    }

    /// Whether workers are kept out of no database at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.databases.iter().all(|entry| entry.load(SeqCst) == 0)
    }
}
