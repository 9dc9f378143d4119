//! Rows that sessions are taking back, in transactions that have not ended.

use std::collections::HashSet;

use engine::Key;

use crate::pg::process::server;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::types::array;
use crate::shmem::{cancellations, worker_calls};

/// The rows that were met and left alone, or claimed and let go of, until a transaction that takes requests back has ended: then
/// they are met again, since it may have rolled back.
pub(in crate::worker) struct Withheld {
    keys: Vec<Key>,
    /// Those to meet again.
    released: Vec<Key>,
    /// How many such transactions had ended when `keys` were met.
    ended: u64,
    free: Plan,
}

/// What is being taken back while a claim runs. Looked for before the claim takes its snapshot: a transaction that is not
/// counted any more has ended in what the snapshot shows, and one that comes to be counted later has yet to ask.
pub(in crate::worker) struct Withdrawals {
    are_open: bool,
    /// Keys that were granted, and whose rows perhaps are not deleted yet.
    granted: HashSet<Key>,
}

impl Withheld {
    pub(in crate::worker) fn new() -> Self {
        Self {
            keys: Vec::new(),
            released: Vec::new(),
            ended: cancellations::ended(),
            // Any lock will do that a delete does not admit.
            free: Plan::new(
                c"select row_key from net.http_request_queue where row_key = any ($1) for key share skip locked",
            ),
        }
    }

    /// Whether rows are to be met again.
    pub(in crate::worker) fn is_released(&self) -> bool {
        !self.released.is_empty() || (!self.keys.is_empty() && self.ended != cancellations::ended())
    }

    /// Looks what is being taken back. Before the claim's transaction.
    pub(in crate::worker) fn look(&mut self) -> Withdrawals {
        let ended = cancellations::ended();
        if self.ended != ended {
            self.ended = ended;
            self.released.append(&mut self.keys);
        }
        let are_open = cancellations::are_open();
        let granted = if are_open { worker_calls::granted(server::my_database()) } else { HashSet::new() };
        Withdrawals { are_open, granted }
    }

    /// A claimed row may be taken back, and is claimed no more.
    pub(in crate::worker) fn let_go(&mut self, key: Key) {
        self.keys.push(key);
    }

    /// Takes up to `most` keys of rows to meet again.
    pub(in crate::worker) fn take_released(&mut self, most: usize) -> Vec<Key> {
        let rest = self.released.len().saturating_sub(most);
        self.released.split_off(rest)
    }

    /// Forgets all: the queue is read again from its start.
    pub(in crate::worker) fn clear(&mut self) {
        self.keys.clear();
        self.released.clear();
    }

    /// Those of the claimed rows that must be left alone.
    pub(in crate::worker) fn hold(
        &mut self,
        session: &Session,
        withdrawals: &Withdrawals,
        claimed: &[Key],
    ) -> Vec<Key> {
        if !withdrawals.are_open || claimed.is_empty() {
            return Vec::new();
        }
        let keys = array::int8s(claimed.iter().copied());
        let rows = session.run(&self.free, Access::Write, [keys]);
        let free: HashSet<Key> = (0..rows.count()).filter_map(|row| rows.row::<1>(row).int8(0)).collect();
        let held = |key: &Key| !free.contains(key) || withdrawals.granted.contains(key);
        let held: Vec<Key> = claimed.iter().copied().filter(held).collect();
        self.keys.extend(&held);
        held
    }
}
