//! What recording writes: one batch of outcomes, within one transaction.

use std::collections::HashSet;
use std::ffi::CStr;

use engine::{Key, Outcome};
use pgrx::pg_sys;

use super::outcomes::{self, OutcomeRow, Rows};
use super::queue_row::Asked;
use super::tables::{Found, Tables};
use crate::pg::array::{self, Array, Element};
use crate::pg::clock::Timestamp;
use crate::pg::plan::{Access, Plan, Session};
use crate::removals::OwnDelete;

/// What an outcome means for its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// It is done.
    Done,
    /// It is tried again at this time.
    PutOff(Timestamp),
    /// It was to be tried again, and has no attempts left.
    UsedUp,
}

/// An outcome, what is remembered of its request, and what it means for it.
pub(super) struct Entry<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) asked: &'a Asked,
    pub(super) fate: Fate,
}

pub(super) struct Store {
    delete: Plan,
    insert: Plan,
    put_off: Plan,
    bury: Plan,
    locked: Plan,
}

pub(super) enum Stored {
    /// All but the outcomes of these rows, which somebody holds locked.
    AllBut(HashSet<Key>),
    /// The tables are gone, or others: the batch belongs to none.
    OtherTables,
}

/// Takes rows out of the queue and puts them, whole, with their outcomes, into the dead letter.
const BURY: &CStr = c"with outcome as ( \
        select * from unnest( \
            $1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21, $22) \
        as o (id, status_code, content_type, headers, content, timed_out, error_msg, content_bytes, requested_by, method, \
              url, attempts, elapsed_ms, dns_ms, handshake_ms, exchange_ms, redirects, remote_address, protocol, \
              error_kind, error_detail, row_key) \
    ), dead as ( \
        delete from net.http_request_queue q using outcome o where q.row_key = o.row_key \
        returning q.row_key, q.id, q.method, q.url, q.headers, q.body, q.timeout_milliseconds, q.requested_by, \
                  q.max_attempts, o.attempts, q.idempotency_key, o.status_code, o.content_type, \
                  o.headers as response_headers, o.content, o.content_bytes, o.timed_out, o.error_msg, o.error_kind, \
                  o.error_detail \
    ), buried as ( \
        insert into net.dead_letter \
            (id, method, url, headers, body, timeout_milliseconds, requested_by, max_attempts, attempts, idempotency_key, \
             status_code, content_type, response_headers, content, content_bytes, timed_out, error_msg, error_kind, \
             error_detail) \
        select id, method, url, headers, body, timeout_milliseconds, requested_by, max_attempts, attempts, idempotency_key, \
               status_code, content_type, response_headers, content, content_bytes, timed_out, error_msg, error_kind, \
               error_detail \
        from dead \
    ) \
    select row_key from dead";

impl Store {
    pub(super) fn new() -> Self {
        Self {
            delete: Plan::new(c"delete from net.http_request_queue where row_key = any ($1) returning row_key"),
            insert: Plan::new(outcomes::INSERT),
            put_off: Plan::new(
                c"update net.http_request_queue q set attempts = r.attempts, due = r.due \
                  from unnest($1, $2, $3) as r (row_key, attempts, due) where q.row_key = r.row_key",
            ),
            bury: Plan::new(BURY),
            locked: Plan::new(
                c"select row_key from net.http_request_queue where row_key = any ($1) and row_key <> all (array( \
                      select row_key from net.http_request_queue where row_key = any ($1) for update skip locked))",
            ),
        }
    }

    /// Writes the batch. A row that somebody deleted meanwhile has nobody who waits for its outcome.
    ///
    /// `careful` passes over rows that somebody holds locked. Else they make it wait, and fail when the lock_timeout is over;
    /// to look for them costs as much as everything else, and nearly always there are none.
    pub(super) fn run(&self, session: &Session, tables: &mut Tables, mut batch: Vec<Entry>, careful: bool) -> Stored {
        let _owner = match tables.find() {
            Found::Same(owner) => owner,
            Found::New(_) | Found::Nothing => {
                tables.forget();
                return Stored::OtherTables;
            }
        };
        let locked = if careful { self.locked(session, &batch) } else { HashSet::new() };
        batch.retain(|entry| !locked.contains(&entry.outcome.key));
        let batch = &batch[..];
        let mut rows = Vec::with_capacity(batch.len());
        self.finish(session, batch, &mut rows);
        // Rare, and so not even looked for row by row on the common path.
        if batch.iter().any(|entry| entry.fate != Fate::Done) {
            self.put_off(session, batch);
            self.bury(session, batch, &mut rows);
        }
        if !rows.is_empty() && !outcomes::store_at_once(session, &rows) {
            session.run(&self.insert, Access::Write, outcomes::types(), outcomes::columns(&rows));
        }
        Stored::AllBut(locked)
    }

    fn locked(&self, session: &Session, batch: &[Entry]) -> HashSet<Key> {
        let keys = array::int8s(batch.iter().map(|entry| entry.outcome.key));
        let locked = session.run(&self.locked, Access::Write, [pg_sys::INT8ARRAYOID], [Some(keys)]);
        (0..locked.count()).filter_map(|row| locked.row::<1>(row).int8(0)).collect()
    }

    /// Takes the requests that are done out of the queue. Those that are sent at most once have left it before.
    fn finish(&self, session: &Session, batch: &[Entry], rows: &mut Vec<OutcomeRow>) {
        let mut keys = Array::with_capacity(Element::Int8, batch.len());
        for entry in batch.iter().filter(|entry| entry.fate == Fate::Done && !entry.asked.at_most_once) {
            keys.push(Some(entry.outcome.key.into()));
        }
        let asked_for = keys.len();
        let mut gone_but = None;
        if asked_for > 0 {
            let _own = OwnDelete::begin();
            let deleted = session.run(&self.delete, Access::Write, [pg_sys::INT8ARRAYOID], [Some(keys.build())]);
            if deleted.count() < asked_for {
                let left = (0..deleted.count()).filter_map(|row| deleted.row::<1>(row).int8(0));
                gone_but = Some(left.collect::<HashSet<Key>>());
            }
        }
        let mut made = Rows::default();
        for entry in batch.iter().filter(|entry| entry.fate == Fate::Done) {
            let was_there = gone_but.as_ref().is_none_or(|left| left.contains(&entry.outcome.key));
            if entry.asked.at_most_once || was_there {
                rows.push(made.row(entry.outcome, entry.asked));
            }
        }
    }

    fn put_off(&self, session: &Session, batch: &[Entry]) {
        let [mut keys, mut attempts, mut dues] =
            [Element::Int8, Element::Int4, Element::Timestamp].map(|element| Array::with_capacity(element, 0));
        for entry in batch {
            if let Fate::PutOff(due) = entry.fate {
                keys.push(Some(entry.outcome.key.into()));
                attempts.push(Some(entry.asked.attempts.into()));
                dues.push(Some(due.into()));
            }
        }
        if keys.len() > 0 {
            session.run(
                &self.put_off,
                Access::Write,
                [Element::Int8, Element::Int4, Element::Timestamp].map(Element::array_type),
                [keys, attempts, dues].map(|array| Some(array.build())),
            );
        }
    }

    fn bury(&self, session: &Session, batch: &[Entry], responses: &mut Vec<OutcomeRow>) {
        let used_up: Vec<&Entry> = batch.iter().filter(|entry| entry.fate == Fate::UsedUp).collect();
        if used_up.is_empty() {
            return;
        }
        let mut made = Rows::default();
        let rows: Vec<_> = used_up.iter().map(|entry| made.row(entry.outcome, entry.asked)).collect();
        let keys = Some(array::int8s(used_up.iter().map(|entry| entry.outcome.key)));
        const ARGUMENTS: usize = outcomes::COLUMNS + 1;
        let types: [_; ARGUMENTS] = array::with(outcomes::types(), outcomes::COLUMNS, pg_sys::INT8ARRAYOID);
        let arguments: [_; ARGUMENTS] = array::with(outcomes::columns(&rows), outcomes::COLUMNS, keys);
        let _own = OwnDelete::begin();
        let buried = session.run(&self.bury, Access::Write, types, arguments);
        let buried: HashSet<Key> = (0..buried.count()).filter_map(|row| buried.row::<1>(row).int8(0)).collect();
        let there = used_up.iter().zip(rows).filter(|(entry, _)| buried.contains(&entry.outcome.key));
        responses.extend(there.map(|(_, row)| row));
    }
}
