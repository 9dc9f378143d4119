//! Outcomes that the code of users keeps from the responses: they are held, durably, and their requests are done.
//!
//! What was held is tried again by processes of its own ([`late`](super::late)), which may take their time.

use std::time::{Duration, Instant};

use engine::Key;

use crate::pg::catalog::own_tables;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::types::array::{self, Array, Element};
use crate::pg::types::clock;
use crate::pg::types::text;
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

const EXTRA: [Element; 5] = [Element::Int8, Element::Int4, Element::Bool, Element::Timestamp, Element::Text];
const COLUMNS: usize = response_row::COLUMNS + EXTRA.len();

impl Hold {
    pub(in crate::worker) fn new() -> Self {
        Self {
            insert: Plan::new(
                c"insert into net._held_response \
                      (id, status_code, content_type, headers, content, timed_out, error_msg, content_bytes, requested_by, \
                       method, url, attempts, elapsed_ms, dns_ms, handshake_ms, exchange_ms, redirects, remote_address, protocol, \
                       error_kind, error_detail, row_key, failures, slow, due, last_error) \
                  select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, \
                       $19, $20, $21, $22, $23, $24, $25, $26)",
            ),
        }
    }

    /// Holds outcomes: in the transaction in which their requests leave the queue.
    pub(in crate::worker) fn keep(&self, session: &Session, held: &[Held]) {
        if held.is_empty() {
            return;
        }
        let _owner = OnTable::needed(own_tables::HELD_RESPONSES);
        let rows: Vec<OutcomeRow> = held.iter().map(|held| held.row).collect();
        let mut extra = EXTRA.map(|element| Array::with_capacity(element, held.len()));
        for Held { key, failure, is_slow, .. } in held {
            let failures = i32::from(failure.is_some());
            let due = clock::after(clock::now(), pause(failures));
            let values = [
                Some((*key).into()),
                Some(failures.into()),
                Some((*is_slow).into()),
                Some(due.into()),
                failure.as_deref().map(text::datum),
            ];
            extra.iter_mut().zip(values).for_each(|(column, value)| column.push(value));
        }
        let types: [_; COLUMNS] = array::joined(response_row::types(), EXTRA.map(Element::array_type));
        let arguments: [_; COLUMNS] =
            array::joined(response_row::columns(&rows), extra.map(|column| Some(column.build())));
        session.run(&self.insert, Access::Write, types, arguments);
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
