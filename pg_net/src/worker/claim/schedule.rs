//! Rows that wait for a time: retries, and requests that are not to be sent before one.
//!
//! They cost nothing until then: the worker knows the earliest time, and sleeps until it comes. Each row is met once, when
//! it is due, by an index on that time.

use std::time::Duration;

use engine::Key;
use pgrx::pg_sys;

use super::queue_row;
use crate::pg::spi::plan::{Access, Plan, Rows, Session};
use crate::pg::types::clock::{self, NEVER, NEVER_YET, Timestamp};

pub(in crate::worker) struct Schedule {
    /// Every row that is due up to here has been met.
    cursor: (Timestamp, Key),
    /// The earliest time behind the cursor that a row may wait for.
    next: Timestamp,
    /// Whether `next` is a guess, and the table has to tell.
    unknown: bool,
    due: Plan,
    first: Plan,
}

impl Schedule {
    pub(in crate::worker) fn new() -> Self {
        Self {
            cursor: (NEVER_YET, Key::MIN),
            next: NEVER_YET,
            unknown: true,
            due: Plan::new(queue_row::select!(
                "where due is not null and (due, row_key) > ($1, $2) and due <= $3 order by due, row_key limit $4"
            )),
            first: Plan::new(
                c"select due from net.http_request_queue \
                  where due is not null and (due, row_key) > ($1, $2) order by due, row_key limit 1",
            ),
        }
    }

    /// The queue is read again from its start.
    pub(in crate::worker) fn start_over(&mut self) {
        self.add(NEVER_YET);
    }

    /// There is no queue.
    pub(in crate::worker) fn clear(&mut self) {
        (self.unknown, self.next) = (false, NEVER);
    }

    /// There is a row that is due at this time.
    pub(in crate::worker) fn add(&mut self, due: Timestamp) {
        if due <= self.cursor.0 {
            self.cursor = (due, Key::MIN);
        }
        self.next = self.next.min(due);
        self.unknown |= due == NEVER_YET;
    }

    /// Whether there are rows to read now.
    pub(in crate::worker) fn is_due(&self) -> bool {
        self.unknown || (self.next != NEVER && self.next <= clock::now())
    }

    /// How long it is until there are.
    pub(in crate::worker) fn wait(&self) -> Option<Duration> {
        if self.unknown {
            return Some(Duration::ZERO);
        }
        (self.next != NEVER).then(|| clock::between(clock::now(), self.next))
    }

    /// Reads rows that are due, in order, at most so many. Hand each to [`met`](Self::met), then call
    /// [`done`](Self::done).
    pub(in crate::worker) fn read<'s>(&self, session: &'s Session, most: usize) -> Rows<'s> {
        session.run(
            &self.due,
            Access::Read,
            [pg_sys::TIMESTAMPTZOID, pg_sys::INT8OID, pg_sys::TIMESTAMPTZOID, pg_sys::INT8OID],
            [
                Some(self.cursor.0.into()),
                Some(self.cursor.1.into()),
                Some(clock::now().into()),
                Some((most as i64).into()),
            ],
        )
    }

    /// A row that was read has been met.
    pub(in crate::worker) fn met(&mut self, due: Timestamp, key: Key) {
        self.cursor = (due, key);
    }

    /// The read is over. `whole` says that it gave every row that is due.
    pub(in crate::worker) fn done(&mut self, session: &Session, whole: bool) {
        self.unknown = !whole;
        self.next = if whole { self.first(session) } else { self.cursor.0 };
    }

    fn first(&self, session: &Session) -> Timestamp {
        let rows = session.run(
            &self.first,
            Access::Read,
            [pg_sys::TIMESTAMPTZOID, pg_sys::INT8OID],
            [Some(self.cursor.0.into()), Some(self.cursor.1.into())],
        );
        if rows.count() == 0 { NEVER } else { rows.row::<1>(0).timestamp(0).unwrap_or(NEVER) }
    }
}
