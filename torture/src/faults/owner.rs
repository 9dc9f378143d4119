//! What the owner of the tables may do to them at any time.

use postgres::error::SqlState;

use super::Injection;
use crate::clock;
use crate::harness::{Harness, harmless};

/// Keeps everybody off the queue, so that what is read is what is then taken away.
const LOCK: &str = "lock table net.http_request_queue in access exclusive mode";

pub(super) fn truncate(harness: &mut Harness) -> Option<Injection> {
    let identity = harness.rng.pick(&["continue", "restart"]);
    take_all_back(harness, &format!("truncate net.http_request_queue {identity} identity"))
}

pub(super) fn recreate_extension(harness: &mut Harness) -> Option<Injection> {
    let injection = take_all_back(harness, "drop extension pg_net");
    if injection.is_some() {
        harness.pause(0, 200);
        harness.client.batch_execute("create extension pg_net").expect("create the extension again");
    }
    injection
}

/// Reads the whole queue, and runs a statement that empties it, in one transaction.
fn take_all_back(harness: &mut Harness, statement: &str) -> Option<Injection> {
    let begin = clock::now();
    let mut transaction = harness.client.transaction().expect("begin");
    let taken = transaction
        .batch_execute(LOCK)
        .and_then(|()| transaction.query("select url from net.http_request_queue", &[]))
        .and_then(|rows| transaction.batch_execute(statement).map(|()| rows));
    let rows = unless_deadlocked(taken, statement)?;
    transaction.commit().expect("empty the queue");
    harness.take_back(rows.iter().map(|row| row.get(0)));
    harmless(begin)
}

/// Nothing where two sessions waited for one another's locks, and ours had to give way.
fn unless_deadlocked<T>(result: Result<T, postgres::Error>, statement: &str) -> Option<T> {
    match result {
        Err(error) if error.code() == Some(&SqlState::T_R_DEADLOCK_DETECTED) => None,
        result => Some(result.unwrap_or_else(|error| panic!("{statement}: {error:?}"))),
    }
}

pub(super) fn rewrite(harness: &mut Harness) -> Option<Injection> {
    let begin = clock::now();
    let statement = harness.rng.pick(&[
        "vacuum full net.http_request_queue",
        "vacuum full net._http_response",
        "vacuum (truncate) net.http_request_queue, net._http_response",
        "cluster net.http_request_queue using http_request_queue_row_key_idx",
        "reindex table net.http_request_queue",
        "alter table net.http_request_queue set unlogged; alter table net.http_request_queue set logged",
    ]);
    unless_deadlocked(harness.client.batch_execute(statement), statement)?;
    harmless(begin)
}

pub(super) fn delete_rows(harness: &mut Harness) -> Option<Injection> {
    let begin = clock::now();
    let (among, rest) = (harness.rng.between(1, 5), harness.rng.between(0, 4));
    let delete = format!("delete from net.http_request_queue where row_key % {among} = {rest} % {among} returning url");
    let rows = unless_deadlocked(harness.client.query(&delete, &[]), &delete)?;
    harness.take_back(rows.iter().map(|row| row.get(0)));
    harmless(begin)
}
