//! Requests that are sent at most once: they leave the queue before they can be sent.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use engine::Key;

use crate::hooks::removals::OwnDelete;
use crate::pg::catalog::own_tables;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::types::array;
use crate::worker::leave_queue::Leave;

/// When a row that was locked is looked at again.
const LOCKED: Duration = Duration::from_secs(1);

pub(in crate::worker) struct AtMostOnce {
    free: Plan,
    plan: Plan,
    leave: Leave,
    /// A range that has rows which another transaction held locked, and when to read it again.
    locked: Option<(Instant, (Key, Key))>,
}

impl AtMostOnce {
    pub(in crate::worker) fn new() -> Self {
        Self {
            // Who holds a row locked must not hold up the others.
            free: Plan::new(
                c"select row_key from net.http_request_queue where row_key operator(pg_catalog.=) any ($1) for update skip locked",
            ),
            plan: Plan::new(
                c"delete from net.http_request_queue where ctid operator(pg_catalog.=) any (array( \
                      select ctid from net.http_request_queue where row_key operator(pg_catalog.=) any ($1) for update skip locked)) \
                  returning row_key",
            ),
            leave: Leave::new(),
            locked: None,
        }
    }

    /// Deletes the rows with these keys. Gives those that are not to be sent now: a row that is gone is not sent at all, one
    /// that is locked is read again later.
    pub(in crate::worker) fn take(&mut self, session: &Session, keys: Vec<Key>) -> Vec<Key> {
        if keys.is_empty() {
            return keys;
        }
        let Some(queue) = OnTable::named(own_tables::QUEUE) else { return keys };
        let plan = if queue.has_code() { &self.free } else { &self.plan };
        let array = array::int8s(keys.iter().copied());
        let _own = (!queue.has_code()).then(OwnDelete::begin);
        let found = session.run(plan, Access::Write, [array]);
        let mut taken: HashSet<Key> = (0..found.count()).filter_map(|row| found.row::<1>(row).int8(0)).collect();
        if queue.has_code() {
            let free: Vec<Key> = taken.into_iter().collect();
            taken = self.leave.take(session, &queue, &free);
        }
        let left: Vec<_> = keys.into_iter().filter(|key| !taken.contains(key)).collect();
        for &key in &left {
            let at = Instant::now() + LOCKED;
            let (_, (lowest, highest)) = self.locked.unwrap_or((at, (key, key)));
            self.locked = Some((at, (lowest.min(key), highest.max(key))));
        }
        left
    }

    /// Deletes rows as they are. For a fault that is built in on purpose.
    pub(super) fn delete(&self, session: &Session, keys: &[Key]) {
        self.leave.delete(session, keys);
    }

    /// When there are rows to read again.
    pub(in crate::worker) fn deadline(&self) -> Option<Instant> {
        self.locked.map(|(at, _)| at)
    }

    /// The range to read again, once it is time.
    pub(in crate::worker) fn due(&mut self, now: Instant) -> Option<(Key, Key)> {
        self.locked.take_if(|(at, _)| *at <= now).map(|(_, range)| range)
    }

    /// The queue is read again from its start.
    pub(in crate::worker) fn clear(&mut self) {
        self.locked = None;
    }
}
