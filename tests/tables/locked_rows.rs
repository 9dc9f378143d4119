//! What another session holds locked. Rows of the queue: their outcomes wait, and nothing else does. Tables: all waits, and goes
//! on soon after.

use std::time::{Duration, Instant};

use testkit::{Call, Gate, PATIENCE, wait_until};

use crate::fixture::Fixture;

/// Puts a request in flight, whose answer the gate withholds.
fn in_flight(fixture: &mut Fixture) -> (i64, Gate) {
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let id = fixture.send(Call::get(&url).timeout(60_000));
    fixture.received("/held");
    (id, gate)
}

fn queued(fixture: &mut Fixture) -> i64 {
    fixture.value("select count(*) from net.http_request_queue")
}

#[test]
fn a_row_locked_in_flight_is_recorded_when_the_lock_is_gone_and_holds_up_no_other() {
    let mut fixture = Fixture::new();
    let (id, gate) = in_flight(&mut fixture);
    let mut locker = fixture.cluster.connect();
    locker.batch_execute("begin; select from net.http_request_queue for update").unwrap();
    gate.release();
    for _ in 0..3 {
        fixture.assert_works();
    }
    assert_eq!(queued(&mut fixture), 1, "the locked one");
    locker.batch_execute("rollback").unwrap();
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!((queued(&mut fixture), fixture.receiver.count()), (0, 4));
}

#[test]
fn a_row_deleted_in_flight_by_an_open_transaction_holds_up_no_other() {
    let mut fixture = Fixture::new();
    let (_, gate) = in_flight(&mut fixture);
    let mut deleter = fixture.cluster.connect();
    deleter.batch_execute("begin; delete from net.http_request_queue").unwrap();
    gate.release();
    fixture.assert_works();
    deleter.batch_execute("commit").unwrap();
    fixture.assert_works();
    wait_until("an empty queue", PATIENCE, || queued(&mut fixture) == 0);
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 2, "the deleted one has none");
}

#[test]
fn a_cancel_does_not_end_the_worker() {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    for _ in 0..20 {
        assert!(fixture.value::<bool>(&format!("select pg_cancel_backend({pid})")));
        fixture.assert_works();
    }
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), pid);
}

/// A wait that doubled with each attempt would be nearly 13 s by then.
const ATTEMPTS: usize = 8;
const SOON: Duration = Duration::from_secs(9);

/// Does something while a table is locked, until the worker has said so often that it failed at it. Fails the test unless the
/// response comes soon after the table is unlocked.
fn assert_soon_after(fixture: &mut Fixture, id: i64, table: &str, act: impl FnOnce(), failed: &str) {
    let mut locker = fixture.cluster.connect();
    locker.batch_execute(&format!("begin; lock table {table} in access exclusive mode")).unwrap();
    act();
    let attempts = || fixture.cluster.log().matches(failed).count();
    wait_until("attempts while the table is locked", 2 * PATIENCE, || attempts() >= ATTEMPTS);
    locker.batch_execute("rollback").unwrap();
    let unlocked = Instant::now();
    assert_eq!(fixture.response(id).status_code, Some(200));
    let took = unlocked.elapsed();
    assert!(took < SOON, "{took:?}");
    assert_eq!(fixture.receiver.count(), 1);
}

#[test]
fn responses_that_were_locked_for_long_are_written_soon_after() {
    let mut fixture = Fixture::new();
    let (id, gate) = in_flight(&mut fixture);
    assert_soon_after(&mut fixture, id, "net._http_response", || gate.release(), "could not store responses");
}

#[test]
fn a_queue_that_was_locked_for_long_is_read_soon_after() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/later");
    let id = fixture.send(Call::request("GET", &url).not_before("now() + '2 s'"));
    assert_soon_after(&mut fixture, id, "net.http_request_queue", || (), "could not read the queue");
}
