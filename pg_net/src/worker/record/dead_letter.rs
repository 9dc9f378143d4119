//! Requests that used up their attempts go, whole, into the dead letter.

use std::collections::HashMap;

use engine::Key;
use pg_net_core::disposition::Disposition;
use pgrx::pg_sys;

use super::store::Entry;
use crate::pg::catalog::own_tables;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Row, Session};
use crate::pg::types::array;
use crate::user_code::{guarded, without_user_triggers};
use crate::worker::leave_queue::{BUDGET, Leave, persist};
use crate::worker::response_row::{OutcomeRow, Rows};

pub(super) struct DeadLetterRows {
    find: Plan,
    insert: Plan,
}

/// What the dead letter has of the queue's row, before it has the outcome. The attempts are those that were made.
const REQUEST: usize = 9;
const COLUMNS: usize = 19;
/// Where the outcome's columns stand in the row of its response: status_code, content_type, headers, content, content_bytes,
/// timed_out, error_msg, error_kind, error_detail; and the attempts.
const OUTCOME: [usize; 9] = [1, 2, 3, 4, 7, 5, 6, 19, 20];
const ATTEMPTS: usize = 11;

impl DeadLetterRows {
    pub(super) fn new() -> Self {
        Self {
            find: Plan::new(
                c"select row_key, id, method::pg_catalog.text, url, headers, body, timeout_milliseconds, requested_by, max_attempts, \
                         idempotency_key \
                  from net.http_request_queue where row_key operator(pg_catalog.=) any ($1) for update",
            ),
            insert: Plan::new(
                c"insert into net.dead_letter \
                      (id, method, url, headers, body, timeout_milliseconds, requested_by, max_attempts, idempotency_key, attempts, \
                       status_code, content_type, response_headers, content, content_bytes, timed_out, error_msg, error_kind, \
                       error_detail) \
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)",
            ),
        }
    }

    /// Takes requests that used up their attempts out of the queue, which acts as its owner meanwhile, and gives their responses.
    pub(super) fn add(
        &self,
        session: &Session,
        leave: &Leave,
        batch: &[Entry],
        responses: &mut Vec<(Key, OutcomeRow)>,
    ) {
        let used_up: Vec<&Entry> = batch.iter().filter(|entry| entry.disposition == Disposition::DeadLetter).collect();
        if used_up.is_empty() {
            return;
        }
        let Some(queue) = OnTable::named(own_tables::QUEUE) else { return };
        let keys: Vec<Key> = used_up.iter().map(|entry| entry.outcome.key).collect();
        let array = array::int8s(keys.iter().copied());
        let found = session.run(&self.find, Access::Write, [pg_sys::INT8ARRAYOID], [Some(array)]);
        let taken = leave.take(session, &queue, &keys);
        drop(queue);
        let requests: HashMap<Key, Row<10>> =
            (0..found.count()).map(|row| found.row(row)).filter_map(|row| Some((row.int8(0)?, row))).collect();
        let dead_letter = OnTable::needed(own_tables::DEAD_LETTER);
        let mut made = Rows::default();
        for entry in used_up {
            let key = entry.outcome.key;
            let Some(request) = requests.get(&key).filter(|_| taken.contains(&key)) else { continue };
            let response = made.row(entry.outcome, entry.claimed);
            self.insert(session, &dead_letter, request, &response);
            responses.push((key, response));
        }
    }

    fn insert(&self, session: &Session, dead_letter: &OnTable, request: &Row<10>, response: &OutcomeRow) {
        let request: [_; REQUEST] = std::array::from_fn(|column| request.any(column + 1));
        let outcome: [_; OUTCOME.len() + 1] =
            array::with(OUTCOME.map(|column| response[column]), 0, response[ATTEMPTS]);
        let row: [_; COLUMNS] = array::joined(request, outcome);
        let insert = || {
            session.run(&self.insert, Access::Write, types(), row);
            dead_letter.run_deferred_constraints();
        };
        if !dead_letter.has_code() {
            insert();
            return;
        }
        let Err(refusal) = persist(insert) else { return };
        let id = row[0].map_or(0, |id| id.value() as i64);
        match guarded(BUDGET, || without_user_triggers(insert)) {
            Ok(()) => {
                pgrx::warning!("pg_net: request {id} goes to net.dead_letter without triggers, which failed: {refusal}")
            }
            Err(refusal) => pgrx::warning!("pg_net: net.dead_letter does not take request {id}: {refusal}"),
        }
    }
}

fn types() -> [pg_sys::Oid; COLUMNS] {
    [
        pg_sys::INT8OID,
        // The domain is checked as its rows are.
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::JSONBOID,
        pg_sys::BYTEAOID,
        pg_sys::INT4OID,
        pg_sys::OIDOID,
        pg_sys::INT4OID,
        pg_sys::TEXTOID,
        pg_sys::INT4OID,
        pg_sys::INT4OID,
        pg_sys::TEXTOID,
        pg_sys::JSONBOID,
        pg_sys::TEXTOID,
        pg_sys::BYTEAOID,
        pg_sys::BOOLOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
        pg_sys::TEXTOID,
    ]
}
