//! Sending a request that used up its attempts once more.
//!
//! Three tables take part, which may belong to three roles: a statement for each, as its owner. Operators are named in full, as the
//! owner's search path is in force where code is attached, and the caller's where none is.

use pgrx::pg_sys;

use super::request::enqueue;
use crate::hooks::commit;
use crate::pg::SqlError;
use crate::pg::catalog::own_tables;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::spi::internal::Internal;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Row, Session};
use crate::pg::types::value::Value;

sql_function!(retry, pg_finfo_retry, retry_request);

struct Plans {
    /// The newest of that id which the role may see.
    find: Plan,
    /// It goes back to the queue,
    requeue: Plan,
    dead_letter: Plan,
    /// and the response of its last attempt with it: the request is one without an outcome again.
    unanswer: Plan,
}

thread_local! {
    static PLANS: Plans = const {
        Plans {
            find: Plan::new(
                c"select ctid, id, method::pg_catalog.text, url, headers, body, timeout_milliseconds, requested_by, max_attempts, \
                         attempts, idempotency_key \
                  from net.dead_letter \
                  where id operator(pg_catalog.=) $1 and pg_catalog.pg_has_role($2, requested_by, 'usage') \
                  order by created desc limit 1 for update",
            ),
            requeue: Plan::new(
                c"insert into net.http_request_queue \
                      (id, method, url, headers, body, timeout_milliseconds, requested_by, max_attempts, idempotency_key, row_key) \
                  values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
            ),
            dead_letter: Plan::new(c"delete from net.dead_letter where ctid operator(pg_catalog.=) $1"),
            unanswer: Plan::new(
                c"delete from net._http_response \
                  where id operator(pg_catalog.=) $1 \
                    and coalesce(requested_by, 0::pg_catalog.oid) operator(pg_catalog.=) coalesce($2, 0::pg_catalog.oid) \
                    and attempts operator(pg_catalog.=) $3",
            ),
        }
    };
}

/// Where the columns stand in what `find` gives.
const PLACE: usize = 0;
const REQUEST: [usize; 9] = [1, 2, 3, 4, 5, 6, 7, 8, 10];
const ANSWER: [usize; 3] = [1, 7, 9];

fn retry_request(call: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    let Some(id) = call.int8(0) else { return Ok(Some(false.into())) };
    enqueue::owner()?;
    let caller = super::request::caller::of(call);
    let _internal = Internal::new();
    let session = Session::connect();
    let is_sent = PLANS.with(|plans| send_again(&session, plans, id, caller)).unwrap_or(false);
    if is_sent {
        commit::wake_at_commit();
    }
    Ok(Some(is_sent.into()))
}

/// Whether there was one to send again, and the queue has taken it. `None` where a table is gone.
fn send_again(session: &Session, plans: &Plans, id: i64, caller: pg_sys::Oid) -> Option<bool> {
    let dead = {
        let _owner = OnTable::named(own_tables::DEAD_LETTER)?;
        session.run(&plans.find, Access::Write, [Value::int8(id), Value::oid(caller)])
    };
    if dead.count() == 0 {
        return Some(false);
    }
    let dead: Row<11> = dead.row(0);
    if !requeue(session, plans, &dead)? {
        return Some(false);
    }
    {
        let _owner = OnTable::named(own_tables::DEAD_LETTER)?;
        session.run(&plans.dead_letter, Access::Write, [dead.any(PLACE)]);
    }
    let _owner = OnTable::named(own_tables::RESPONSES)?;
    session.run(&plans.unanswer, Access::Write, ANSWER.map(|column| dead.any(column)));
    Some(true)
}

/// False where a trigger of the queue's owner has made nothing of it.
fn requeue(session: &Session, plans: &Plans, dead: &Row<11>) -> Option<bool> {
    let key = super::request::insert::next_row_key()?;
    let queue = OnTable::named(own_tables::QUEUE)?;
    commit::note_key(key);
    if queue.has_code() {
        // Perhaps it gives the row another key.
        commit::note_any_key();
    }
    let [id, method, url, headers, body, timeout, by, most, idempotency_key] = REQUEST.map(|column| dead.any(column));
    let method = method.of_domain(super::request::insert::method_domain()?);
    let row = [id, method, url, headers, body, timeout, by, most, idempotency_key, Value::int8(key)];
    let stored = session.run(&plans.requeue, Access::Write, row).count();
    commit::take_last_key();
    Some(stored > 0)
}
