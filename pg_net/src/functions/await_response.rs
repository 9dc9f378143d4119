//! Waiting for responses: the session sleeps until something happens to the request that it waits for.

use std::collections::HashSet;
use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::{PgSqlErrorCode, pg_sys};

use super::request::{enqueue, row_key_hint};
use crate::pg::SqlError;
use crate::pg::catalog::own_tables;
use crate::pg::catalog::role::ActAs;
use crate::pg::catalog::{relation, role};
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::process::wait_event::WaitEvent;
use crate::pg::process::{server, wait};
use crate::pg::spi::fresh_read::look;
use crate::pg::spi::plan::{Access, Plan, Rows, Session};
use crate::pg::types::array;
use crate::pg::types::composite::{self, Composite};
use crate::pg::types::value::Value;
use crate::shmem::waiters::Wait;
use crate::shmem::worker_calls;

sql_function!(_await_response, pg_finfo__await_response, wait_for_end);
sql_function!(await_response, pg_finfo_await_response, wait_for_one);
sql_function!(await_responses, pg_finfo_await_responses, wait_for_all);
sql_function!(_http_collect_response, pg_finfo__http_collect_response, collect);
sql_function!(http_collect_response, pg_finfo_http_collect_response, collect_as_of_old);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

/// As the caller: what the role may not see is not there. Operators and functions are named in full, as the caller's search
/// path is in force.
struct Plans {
    /// Those for a role that may select from the dead letter, and for one that may not: it does without.
    outcomes: [Outcomes; 2],
    /// The response to one request.
    response: Plan,
    /// Requests in the queue with row keys in a range, and anywhere.
    near: Plan,
    queued: Plan,
    /// Who asked for the outcomes that are held.
    held: Plan,
}

struct Outcomes {
    /// The results of requests, and which of them have no response yet. Of several responses the newest counts, found
    /// in a way that has no use for the index on `created`: that would read all that are newer. The dead letter keeps the
    /// last outcome for longer.
    results: Plan,
    answered: Plan,
}

/// A plan, of pieces of a statement.
macro_rules! plan {
    ($($piece:expr),+) => {
        const {
            match CStr::from_bytes_with_nul(concat!($($piece),+, "\0").as_bytes()) {
                Ok(statement) => Plan::new(statement),
                Err(_) => panic!("a statement holds no NUL"),
            }
        }
    };
}

/// What a row of responses is as a result, where it is one.
macro_rules! outcome {
    () => {
        "when r.error_msg is not null then \
             row('ERROR', r.error_msg, null)::net.http_response_result \
         else row('SUCCESS', 'ok', row(r.status_code, r.headers, r.content)::net.http_response) \
             ::net.http_response_result"
    };
}

/// The plans that see responses, and what else is given.
macro_rules! outcomes {
    ($and_results:literal, $and_answered:literal) => {
        Outcomes {
            results: plan!(
                "select pg_catalog.array_agg(case when r.id is null then \
                    row('PENDING', 'the request has no response yet', null)::net.http_response_result ",
                outcome!(),
                " end order by asked.place), \
                 pg_catalog.array_agg(asked.id order by asked.place) filter (where r.id is null) \
                 from pg_catalog.unnest($1) with ordinality as asked (id, place) \
                 left join lateral ( \
                     select s.id, s.error_msg, s.status_code, s.headers, s.content, \
                            s.created operator(pg_catalog.+) interval '0' as created \
                     from net._http_response s where s.id operator(pg_catalog.=) asked.id ",
                $and_results,
                " order by created desc limit 1) r on true"
            ),
            answered: plan!(
                "select r.id from net._http_response r where r.id operator(pg_catalog.=) any ($1) ",
                $and_answered,
                " limit 1"
            ),
        }
    };
}

thread_local! {
    static PLANS: Plans = const {
        Plans {
            outcomes: [
                outcomes!("", ""),
                outcomes!(
                    "union all \
                     select d.id, d.error_msg, d.status_code, d.response_headers, d.content, d.created \
                     from net.dead_letter d where d.id operator(pg_catalog.=) asked.id",
                    "union all select d.id from net.dead_letter d where d.id operator(pg_catalog.=) any ($1)"
                ),
            ],
            response: plan!(
                "select case when r.id is null then \
                    row('ERROR', 'request matching request_id not found', null)::net.http_response_result ",
                outcome!(),
                " end from (select $1) as asked (id) \
                 left join lateral ( \
                     select s.id, s.error_msg, s.status_code, s.headers, s.content, \
                            s.created operator(pg_catalog.+) interval '0' as created \
                     from net._http_response s where s.id operator(pg_catalog.=) asked.id \
                     order by created desc limit 1 \
                 ) r on true"
            ),
            near: plan!(
                "select q.id, q.xmin, q.row_key from net.http_request_queue q \
                 where q.id operator(pg_catalog.=) any ($1) \
                   and q.row_key operator(pg_catalog.>=) $2 and q.row_key operator(pg_catalog.<=) $3"
            ),
            held: plan!("select requested_by from net._held_response where id operator(pg_catalog.=) $1"),
            queued: plan!(
                "select q.id, q.xmin, q.row_key from net.http_request_queue q \
                 where q.id operator(pg_catalog.=) any ($1)"
            ),
        }
    };
}

impl Plans {
    fn outcomes(&self) -> &Outcomes {
        let sees_dead_letters = relation::relation_in_net(own_tables::DEAD_LETTER).is_some_and(relation::may_select);
        &self.outcomes[usize::from(sees_dead_letters)]
    }
}

/// `net._await_response`: true once there is a response, false if the request stands nowhere. Waits without a limit.
fn wait_for_end(call: &Call) -> Answer {
    let Some(id) = call.int8(0) else { return Ok(Some(false.into())) };
    match wait(&[id], None) {
        Ok(_) => Ok(Some(true.into())),
        Err(Trouble::Nowhere(_)) => Ok(Some(false.into())),
        Err(trouble) => Err(trouble.into()),
    }
}

/// The result of a request, once it is there or the time is up.
fn wait_for_one(call: &Call) -> Answer {
    let id = call.int8(0).ok_or_else(|| is_null("request_id"))?;
    let until = end_of(call.microseconds(1))?;
    Ok(wait(&[id], until)?.pop().map(Composite::datum))
}

/// The results of the requests of an array, a row each in its order, once all are there or the time is up.
fn wait_for_all(call: &Call) -> Answer {
    let until = end_of(call.microseconds(1))?;
    let ids = call.int8s(0);
    let results = wait(&ids, until)?;
    let rows = ids
        .into_iter()
        .zip(results)
        .map(|(id, result)| [Value::int8(id), result.field(1), result.field(2), result.field(3)]);
    composite::rows(call, rows);
    Ok(None)
}

/// `net._http_collect_response`: what there is of a response, or once there is one.
fn collect(call: &Call) -> Answer {
    let id = call.int8(0);
    if let (Some(id), Some(false)) = (id, call.bool(1)) {
        match wait(&[id], None) {
            Ok(results) => return Ok(results.into_iter().next_back().map(Composite::datum)),
            Err(Trouble::Nowhere(_)) => {}
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Ok(look(|session| {
        PLANS.with(|plans| session.run(&plans.response, Access::Read, [Value::int8(id)]).row::<1>(0).transfer(0))
    })
    .map(Composite::datum))
}

fn collect_as_of_old(call: &Call) -> Answer {
    SqlError::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, "net.http_collect_response is deprecated")
        .hint("Select from net._http_response by id, or call net._http_collect_response.")
        .notice();
    collect(call)
}

fn is_null(argument: &str) -> SqlError {
    SqlError::new(PgSqlErrorCode::ERRCODE_NULL_VALUE_NOT_ALLOWED, format!("{argument} must not be null"))
}

/// When a wait of so many microseconds ends; `None` if that is beyond all measure.
fn end_of(timeout: Option<i128>) -> Result<Option<Instant>, SqlError> {
    let Some(timeout) = timeout else {
        return Err(is_null("timeout").hint("Leave it out to wait 30 seconds."));
    };
    if timeout < 0 {
        return Err(SqlError::invalid("timeout must not be negative"));
    }
    let timeout = u64::try_from(timeout).map_or(Duration::MAX, Duration::from_micros);
    Ok(Instant::now().checked_add(timeout))
}

/// Why there is nothing to wait for.
enum Trouble {
    /// The request was made by the transaction that wants to wait for it.
    Uncommitted(i64),
    Nowhere(i64),
}

impl From<Trouble> for SqlError {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Uncommitted(id) => Self::new(
                PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
                format!("request {id} was made by this transaction, which has not committed yet"),
            )
            .hint("A request is sent after its transaction commits. Commit first, then wait."),
            Trouble::Nowhere(id) => Self::new(
                PgSqlErrorCode::ERRCODE_NO_DATA_FOUND,
                format!("request {id} does not exist"),
            )
            .hint("Responses are kept for pg_net.ttl, and a role sees its own requests only, once they are committed."),
        }
    }
}

/// Waits until every one of these requests has its response, or the time is up. Gives their results.
fn wait<'a>(ids: &[i64], until: Option<Instant>) -> Result<Vec<Composite<'a>>, Trouble> {
    let waiting = Wait::begin();
    let first = ids.first().copied();
    let mut time_is_up = false;
    loop {
        if let Some(first) = first {
            waiting.expect(first);
        }
        let (results, open) = survey(ids)?;
        if open.is_empty() || time_is_up {
            return Ok(results);
        }
        time_is_up = !sleep_through(&waiting, first, &open, until)?;
    }
}

/// Sleeps until something has happened to each of these requests; `expected` is waited for already. False if the time is up
/// first.
fn sleep_through(waiting: &Wait, expected: Option<i64>, open: &[i64], until: Option<Instant>) -> Result<bool, Trouble> {
    // One after the other: in whatever order they are answered, each costs one look at most.
    for (place, &id) in open.iter().enumerate() {
        if place > 0 || expected != Some(id) {
            waiting.expect(id);
            let is_answered =
                |session: &Session| PLANS.with(|plans| run(session, &plans.outcomes().answered, &[id]).count() > 0);
            if look(is_answered) || survey(&[id])?.1.is_empty() {
                continue;
            }
        }
        if !sleep(waiting, until) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// The results of requests in their order; and those that will have a response and have none yet.
fn survey<'a>(ids: &[i64]) -> Result<(Vec<Composite<'a>>, Vec<i64>), Trouble> {
    let mut lost = None;
    loop {
        let (results, open, missing) = look(|session| PLANS.with(|plans| read(session, plans, ids)))?;
        let gone = missing.into_iter().find(|&id| !is_under_way(id) && !is_held(id));
        match gone {
            None => return Ok((results, open)),
            // It may have got its response between the look and the question: only a second look tells.
            Some(id) if lost != Some(id) => lost = Some(id),
            Some(id) => return Err(Trouble::Nowhere(id)),
        }
    }
}

/// What the tables tell of requests: the results, those without a response, and those of them that are not in the queue.
type Reading<'a> = (Vec<Composite<'a>>, Vec<i64>, Vec<i64>);

fn read<'a>(session: &Session, plans: &Plans, ids: &[i64]) -> Result<Reading<'a>, Trouble> {
    let rows = run(session, &plans.outcomes().results, ids);
    let row = rows.row::<2>(0);
    let mut seen = HashSet::new();
    let open: Vec<i64> = row.int8s(1).into_iter().filter(|&id| seen.insert(id)).collect();
    let mut missing = open.clone();
    if let Some((lowest, highest)) = row_key_hint::likely_keys(&open) {
        let ids = array::int8s(open.iter().copied());
        let arguments = [ids, Value::int8(lowest), Value::int8(highest)];
        find(&session.run(&plans.near, Access::Read, arguments), &mut missing)?;
    }
    if !missing.is_empty() {
        find(&run(session, &plans.queued, &missing), &mut missing)?;
    }
    Ok((row.transfer_all(0), open, missing))
}

/// Takes what was found in the queue off the missing.
fn find(rows: &Rows, missing: &mut Vec<i64>) -> Result<(), Trouble> {
    let mut found = HashSet::new();
    for row in 0..rows.count() {
        let row = rows.row::<3>(row);
        let (Some(id), Some(maker), Some(key)) = (row.int8(0), row.transaction(1), row.int8(2)) else { continue };
        if server::is_my_transaction(maker) {
            return Err(Trouble::Uncommitted(id));
        }
        row_key_hint::note(id, key);
        found.insert(id);
    }
    missing.retain(|id| !found.contains(id));
    Ok(())
}

/// Whether a request that is sent at most once, and so has left the queue, is under way. The worker knows it, and who asked
/// for it; the same roles may know it that would see its row.
fn is_under_way(id: i64) -> bool {
    worker_calls::under_way(id).is_some_and(may_know)
}

/// Whether a request has an outcome that code of users keeps from the responses, for now. For the same roles.
fn is_held(id: i64) -> bool {
    let Some(table) = relation::relation_in_net(own_tables::HELD_RESPONSES) else { return false };
    let Some(owner) = relation::owner_of(table) else { return false };
    let asked_by = look(|session| {
        let _owner = ActAs::new(owner, 0);
        PLANS.with(|plans| {
            let rows = session.run(&plans.held, Access::Read, [Value::int8(id)]);
            (0..rows.count()).map(|row| rows.row::<1>(row).oid(0).unwrap_or_default()).collect::<Vec<_>>()
        })
    });
    asked_by.into_iter().any(may_know)
}

/// Whether the current role would see the row of a request.
fn may_know(asked_by: pg_sys::Oid) -> bool {
    // One whose maker is not known may be seen by every role.
    if asked_by == pg_sys::InvalidOid {
        return true;
    }
    let owner = enqueue::owner().unwrap_or(asked_by);
    [asked_by, owner].into_iter().any(role::is_member) || role::reads_all_data()
}

fn run<'s>(session: &'s Session, plan: &Plan, ids: &[i64]) -> Rows<'s> {
    let ids = array::int8s(ids.iter().copied());
    session.run(plan, Access::Read, [ids])
}

/// Sleeps until something happens to the request that is waited for. False if the time is up first. A cancelled statement
/// or a terminated session ends it with its error.
fn sleep(waiting: &Wait, until: Option<Instant>) -> bool {
    loop {
        pgrx::check_for_interrupts!();
        if waiting.is_told() {
            return true;
        }
        let left = until.map(|until| until.saturating_duration_since(Instant::now()));
        if left.is_some_and(|left| left.is_zero()) {
            return false;
        }
        wait::wait_for_latch(WaitEvent::Response, left);
    }
}
