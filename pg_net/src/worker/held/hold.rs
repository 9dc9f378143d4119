//! Outcomes that the code of users keeps from the responses: they are held, durably, and their requests are done.
//!
//! What was held is tried again by processes of its own ([`late`](super::late)), which may take their time.

use std::time::{Duration, Instant};

use engine::Key;

use crate::pg::catalog::own_tables;
use crate::pg::catalog::schema::{held, insert_many, response};
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::types::array::{self, Array};
use crate::pg::types::clock;
use crate::pg::types::value::Value;
use crate::worker::leave_queue::BUDGET;
use crate::worker::response_row::{self, OutcomeRow};

/// How often an outcome is tried with its triggers. The wait after the first failure, which gets longer by `GROWTH` with each.
pub(in crate::worker) const FAILURES: i32 = 5;
const FIRST: Duration = Duration::from_millis(100);
const GROWTH: u32 = 4;

/// How long it is until an outcome that has failed so often is tried again.
pub(in crate::worker) fn pause(failures: i32) -> Duration {
    match u32::try_from(failures) {
        Ok(failures @ 1..) => FIRST.saturating_mul(GROWTH.saturating_pow(failures - 1)),
        _ => Duration::ZERO,
    }
}

/// An outcome that is to be held, and why.
pub(in crate::worker) struct Held {
    pub(in crate::worker) key: Key,
    pub(in crate::worker) row: OutcomeRow,
    /// What failed; nothing where it was not tried, or not given its time.
    pub(in crate::worker) failure: Option<String>,
    /// It takes longer than others can wait.
    pub(in crate::worker) is_slow: bool,
}

pub(in crate::worker) struct Hold {
    insert: Plan,
}

const COLUMNS: usize = response::COUNT + held::COUNT;

impl Hold {
    pub(in crate::worker) fn new() -> Self {
        Self {
            insert: Plan::new(insert_many(
                "_held_response",
                &array::joined::<_, _, _, COLUMNS>(response::NAMES, held::NAMES),
            )),
        }
    }

    /// Holds outcomes: in the transaction in which their requests leave the queue.
    pub(in crate::worker) fn keep(&self, session: &Session, held: &[Held]) {
        if held.is_empty() {
            return;
        }
        let _owner = OnTable::needed(own_tables::HELD_RESPONSES);
        let rows: Vec<OutcomeRow> = held.iter().map(|held| held.row).collect();
        let mut beside = held::ELEMENTS.map(|element| Array::with_capacity(element, held.len()));
        for Held { key, failure, is_slow, .. } in held {
            let failures = i32::from(failure.is_some());
            let row = held::Row {
                row_key: Value::int8(*key),
                failures: Value::int4(failures),
                slow: Value::bool(*is_slow),
                due: Value::timestamp(clock::after(clock::now(), pause(failures))),
                last_error: Value::text(failure.as_deref()),
            };
            beside.iter_mut().zip(row.values()).for_each(|(column, value)| column.push(value));
        }
        let arguments: [_; COLUMNS] = array::joined(response_row::columns(&rows), beside.map(Array::build));
        session.run(&self.insert, Access::Write, arguments);
    }
}

/// How much of the worker's time what takes too long may cost: each time it happens, what comes next is given half as much.
#[derive(Clone, Copy)]
pub(in crate::worker) struct Patience {
    since: Instant,
    cuts: u32,
}

/// How long a run that was cut off is held against those that come next.
const SPAN: Duration = Duration::from_secs(1);
/// What a run is given at least, which is enough for nearly all.
const LEAST: Duration = Duration::from_millis(5);

impl Patience {
    pub(in crate::worker) fn new() -> Self {
        Self { since: Instant::now(), cuts: 0 }
    }

    /// What the next run is given.
    pub(in crate::worker) fn budget(&mut self) -> Duration {
        if self.since.elapsed() >= SPAN {
            *self = Self::new();
        }
        (BUDGET / (1 << self.cuts.min(8))).max(LEAST)
    }

    /// A run took longer.
    pub(in crate::worker) fn cut(&mut self) {
        self.cuts += 1;
    }
}
