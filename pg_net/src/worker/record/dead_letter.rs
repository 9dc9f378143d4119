//! Requests that used up their attempts go, whole, into the dead letter.

use std::collections::HashMap;

use engine::Key;
use pg_net_core::disposition::Disposition;

use super::store::Entry;
use crate::pg::catalog::own_tables;
use crate::pg::catalog::schema::{dead_letter, insert_one, statement};
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

/// What of a request's row in the queue goes into the dead letter: columns that have the same names there.
const REQUEST: [&str; 9] = [
    "id",
    // The domain is checked as its rows are.
    "method::pg_catalog.text",
    "url",
    "headers",
    "body",
    "timeout_milliseconds",
    "requested_by",
    "max_attempts",
    "idempotency_key",
];

impl DeadLetterRows {
    pub(super) fn new() -> Self {
        Self {
            find: Plan::new(statement(format!(
                "select row_key, {} from net.http_request_queue where row_key operator(pg_catalog.=) any ($1) for update",
                REQUEST.join(", ")
            ))),
            insert: Plan::new(insert_one("dead_letter", &dead_letter::NAMES, "")),
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
        let found = session.run(&self.find, Access::Write, [array]);
        let taken = leave.take(session, &queue, &keys);
        drop(queue);
        let requests: HashMap<Key, Row<10>> =
            (0..found.count()).map(|row| found.row(row)).filter_map(|row| Some((row.int8(0)?, row))).collect();
        let table = OnTable::needed(own_tables::DEAD_LETTER);
        let mut made = Rows::default();
        for entry in used_up {
            let key = entry.outcome.key;
            let Some(request) = requests.get(&key).filter(|_| taken.contains(&key)) else { continue };
            let response = made.row(entry.outcome, entry.claimed);
            self.insert(session, &table, request, &response);
            responses.push((key, response));
        }
    }

    fn insert(&self, session: &Session, table: &OnTable, request: &Row<10>, response: &OutcomeRow) {
        let [id, method, url, headers, body, timeout_milliseconds, requested_by, max_attempts, idempotency_key] =
            std::array::from_fn(|column| request.any(column + 1));
        let row = dead_letter::Row {
            id,
            method,
            url,
            headers,
            body,
            timeout_milliseconds,
            requested_by,
            max_attempts,
            attempts: response.attempts,
            idempotency_key,
            status_code: response.status_code,
            content_type: response.content_type,
            response_headers: response.headers,
            content: response.content,
            content_bytes: response.content_bytes,
            timed_out: response.timed_out,
            error_msg: response.error_msg,
            error_kind: response.error_kind,
            error_detail: response.error_detail,
        };
        let insert = || {
            session.run(&self.insert, Access::Write, row.values());
            table.run_deferred_constraints();
        };
        if !table.has_code() {
            insert();
            return;
        }
        let Err(refusal) = persist(insert) else { return };
        let id = request.int8(1).unwrap_or_default();
        match guarded(BUDGET, || without_user_triggers(insert)) {
            Ok(()) => {
                pgrx::warning!("pg_net: request {id} goes to net.dead_letter without triggers, which failed: {refusal}")
            }
            Err(refusal) => pgrx::warning!("pg_net: net.dead_letter does not take request {id}: {refusal}"),
        }
    }
}
