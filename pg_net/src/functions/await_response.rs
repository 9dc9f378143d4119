//! Waiting for responses: the session sleeps until something happens to the request that it waits for.

use std::collections::HashSet;
use std::ffi::CStr;
use std::time::{Duration, Instant};

use pgrx::{FromDatum, PgSqlErrorCode, pg_sys};

use super::{enqueue, whereabouts};
use crate::pg::call::{Call, sql_function};
use crate::pg::composite::{self, Composite};
use crate::pg::look::look;
use crate::pg::plan::{Access, Plan, Rows, Session};
use crate::pg::role::ActAs;
use crate::pg::{SqlError, WaitEvent, array, relation, role, server, wait};
use crate::shared::questions;
use crate::shared::waiters::Wait;

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
        let sees_dead_letters = relation::relation_in_net(c"dead_letter").is_some_and(relation::may_select);
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
    Ok(elements(wait(&[id], until)?).pop())
}

/// The results of the requests of an array, a row each in its order, once all are there or the time is up.
fn wait_for_all(call: &Call) -> Answer {
    let until = end_of(call.microseconds(1))?;
    let ids = call.int8s(0);
    let results = elements(wait(&ids, until)?);
    let rows = ids.into_iter().zip(results).map(|(id, result)| {
        // SAFETY: a net.http_response_result, which has these three fields; it lives as long as the call.
        let fields = unsafe { Composite::from_datum(result) };
        [Some(id.into()), fields.datum(1), fields.datum(2), fields.datum(3)]
    });
    // SAFETY: the SQL declaration says so: a bigint, and the types of the result's fields.
    unsafe { composite::rows(call, rows) };
    Ok(None)
}

/// `net._http_collect_response`: what there is of a response, or once there is one.
fn collect(call: &Call) -> Answer {
    let id = call.int8(0);
    if let (Some(id), Some(false)) = (id, call.bool(1)) {
        match wait(&[id], None) {
            Ok(results) => return Ok(elements(results).pop()),
            Err(Trouble::Nowhere(_)) => {}
            Err(trouble) => return Err(trouble.into()),
        }
    }
    Ok(look(|session| {
        PLANS.with(|plans| {
            let id = id.map(pg_sys::Datum::from);
            session.run(&plans.response, Access::Read, [pg_sys::INT8OID], [id]).row::<1>(0).transfer(0)
        })
    }))
}

fn collect_as_of_old(call: &Call) -> Answer {
    SqlError::new(PgSqlErrorCode::ERRCODE_SUCCESSFUL_COMPLETION, "net.http_collect_response is deprecated")
        .hint("Select from net._http_response by id, or call net._http_collect_response.")
        .notice();
    collect(call)
}

/// The elements of an array of results, which lives as long as the call.
fn elements(results: Option<pg_sys::Datum>) -> Vec<pg_sys::Datum> {
    // SAFETY: an array that a statement of ours has made, of rows.
    let results = results.and_then(|array| unsafe { pgrx::Array::<pg_sys::Datum>::from_datum(array, false) });
    results.iter().flat_map(pgrx::Array::iter).flatten().collect()
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
                format!("request {id} stands neither in the queue nor among the responses"),
            )
            .hint("Responses are kept for pg_net.ttl, and a role sees its own requests only, once they are committed."),
        }
    }
}

/// Waits until every one of these requests has its response, or the time is up. Gives their results, an array.
fn wait(ids: &[i64], until: Option<Instant>) -> Result<Option<pg_sys::Datum>, Trouble> {
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

/// The results of requests, an array in their order; and those that will have a response and have none yet.
fn survey(ids: &[i64]) -> Result<(Option<pg_sys::Datum>, Vec<i64>), Trouble> {
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
type Reading = (Option<pg_sys::Datum>, Vec<i64>, Vec<i64>);

fn read(session: &Session, plans: &Plans, ids: &[i64]) -> Result<Reading, Trouble> {
    let rows = run(session, &plans.outcomes().results, ids);
    let row = rows.row::<2>(0);
    let mut seen = HashSet::new();
    let open: Vec<i64> = row.int8s(1).into_iter().filter(|&id| seen.insert(id)).collect();
    let mut missing = open.clone();
    if let Some((lowest, highest)) = whereabouts::likely_keys(&open) {
        let ids = array::int8s(open.iter().copied());
        let types = [pg_sys::INT8ARRAYOID, pg_sys::INT8OID, pg_sys::INT8OID];
        let arguments = [Some(ids), Some(lowest.into()), Some(highest.into())];
        find(&session.run(&plans.near, Access::Read, types, arguments), &mut missing)?;
    }
    if !missing.is_empty() {
        find(&run(session, &plans.queued, &missing), &mut missing)?;
    }
    Ok((row.transfer(0), open, missing))
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
        whereabouts::note(id, key);
        found.insert(id);
    }
    missing.retain(|id| !found.contains(id));
    Ok(())
}

/// Whether a request that is sent at most once, and so has left the queue, is under way. The worker knows it, and who asked
/// for it; the same roles may know it that would see its row.
fn is_under_way(id: i64) -> bool {
    questions::under_way(id).is_some_and(may_know)
}

/// Whether a request has an outcome that code of users keeps from the responses, for now. For the same roles.
fn is_held(id: i64) -> bool {
    let Some(table) = relation::relation_in_net(c"_held_response") else { return false };
    let Some(owner) = relation::owner_of(table) else { return false };
    let asked_by = look(|session| {
        let _owner = ActAs::new(owner, 0);
        PLANS.with(|plans| {
            let rows = session.run(&plans.held, Access::Read, [pg_sys::INT8OID], [Some(id.into())]);
            (0..rows.count()).map(|row| rows.row::<1>(row).oid(0).unwrap_or_default()).collect::<Vec<_>>()
        })
    });
    asked_by.into_iter().any(may_know)
}

/// Whether the current role would see the row of a request.
fn may_know(asked_by: pg_sys::Oid) -> bool {
    // One whose maker is not known is everybody's to see.
    if asked_by == pg_sys::InvalidOid {
        return true;
    }
    let owner = enqueue::owner().unwrap_or(asked_by);
    [asked_by, owner].into_iter().any(role::is_member) || role::reads_all_data()
}

fn run<'s>(session: &'s Session, plan: &Plan, ids: &[i64]) -> Rows<'s> {
    let ids = array::int8s(ids.iter().copied());
    session.run(plan, Access::Read, [pg_sys::INT8ARRAYOID], [Some(ids)])
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
