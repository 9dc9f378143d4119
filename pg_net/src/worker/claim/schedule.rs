//! Rows that wait for a time: retries, and requests that are not to be sent before one.
//!
//! They cost nothing until then: the worker knows the earliest time, and sleeps until it comes. Each row is read once, when
//! it is due, by an index on that time.

use std::time::Duration;

use engine::Key;
use pg_net_core::due_schedule::DueSchedule;

use super::queue_row;
use crate::pg::spi::plan::{Access, Plan, Rows, Session};
use crate::pg::types::clock::{self, NEVER, Timestamp};
use crate::pg::types::value::Value;

pub(super) struct Schedule {
    due: DueSchedule,
    read: Plan,
    first: Plan,
}

impl Schedule {
    pub(super) fn new() -> Self {
        Self {
            due: DueSchedule::default(),
            read: Plan::new(queue_row::select!(
                "where due is not null and (due, row_key) > ($1, $2) and due <= $3 order by due, row_key limit $4"
            )),
            first: Plan::new(
                c"select due from net.http_request_queue \
                  where due is not null and (due, row_key) > ($1, $2) order by due, row_key limit 1",
            ),
        }
    }

    /// The queue is read again from its start.
    pub(super) fn start_over(&mut self) {
        self.due.start_over();
    }

    /// There is no queue.
    pub(super) fn clear(&mut self) {
        self.due.clear();
    }

    /// There is a row that is due at this time.
    pub(super) fn add(&mut self, due: Timestamp) {
        self.due.add(due);
    }

    /// Whether there are rows to read now.
    pub(super) fn is_due(&self) -> bool {
        self.due.is_due(clock::now)
    }

    /// How long it is until there are.
    pub(super) fn wait(&self) -> Option<Duration> {
        self.due.wait(clock::now)
    }

    /// Reads rows that are due, in order, at most so many. Hand each to [`met`](Self::met), then call
    /// [`done`](Self::done).
    pub(super) fn read<'s>(&self, session: &'s Session, most: usize) -> Rows<'s> {
        let (due, key) = self.due.cursor();
        session.run(
            &self.read,
            Access::Read,
            [Value::timestamp(due), Value::int8(key), Value::timestamp(clock::now()), Value::int8(most as i64)],
        )
    }

    /// A row that was read has been dealt with.
    pub(super) fn met(&mut self, due: Timestamp, key: Key) {
        self.due.read(due, key);
    }

    /// The read is over. `whole` says that it gave every row that is due.
    pub(super) fn done(&mut self, session: &Session, whole: bool) {
        if whole { self.due.read_all(self.first(session)) } else { self.due.read_some() }
    }

    fn first(&self, session: &Session) -> Timestamp {
        let (due, key) = self.due.cursor();
        let rows = session.run(&self.first, Access::Read, [Value::timestamp(due), Value::int8(key)]);
        if rows.count() == 0 { NEVER } else { rows.row::<1>(0).timestamp(0).unwrap_or(NEVER) }
    }
}
