//! Waiting for responses: `net.await_response` and its kin.

mod many;
mod trouble;

use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;
use testkit::{Call, PATIENCE, wait_until};

use crate::fixture::{Fixture, allow_at_most, error_of, value};

/// `(status, message, response's status, response's body)` of one request.
type Result = (String, String, Option<i32>, Option<String>);

/// Waits for a request, with further arguments.
#[track_caller]
fn wait_for(client: &mut Client, id: i64, further: &str) -> Result {
    let sql = format!(
        "select (r).status::text, (r).message, ((r).response).status_code, ((r).response).body
           from (select net.await_response({id}{further}) as r offset 0) as s"
    );
    let row = client.query_one(&sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

fn success(status: i32, body: &str) -> Result {
    ("SUCCESS".into(), "ok".into(), Some(status), Some(body.into()))
}

fn pending() -> Result {
    ("PENDING".into(), "the request has no response yet".into(), None, None)
}

/// Asks for a path of the receiver that is held, and waits until the request is there.
fn ask_held(fixture: &mut Fixture, path: &str) -> i64 {
    let url = fixture.receiver.url(path);
    let id = fixture.send(Call::get(&url).timeout(60_000));
    fixture.received(path);
    id
}

/// Waits until so many sessions are asleep in a statement that holds `text`.
fn wait_for_sleepers(client: &mut Client, count: i64, text: &str) {
    let asleep = "select count(*) from pg_stat_activity
                   where wait_event_type = 'Extension' and query like '%' || $1 || '%' and pid <> pg_backend_pid()";
    wait_until(&format!("{count} sessions that wait"), PATIENCE, || {
        client.query_one(asleep, &[&text]).unwrap().get::<_, i64>(0) == count
    });
}

#[test]
fn a_response_is_awaited() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/status/201");
    let id = ask_held(&mut fixture, "/status/201");
    let mut other = fixture.cluster.connect();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for(&mut fixture.client, id, ""));
        wait_for_sleepers(&mut other, 1, "await_response");
        gate.release();
        assert_eq!(waiting.join().unwrap(), success(201, "status 201"));
    });
    assert_eq!(wait_for(&mut fixture.client, id, ""), success(201, "status 201"), "and once more");
    let headers: serde_json::Value = fixture.value(&format!("select ((net.await_response({id})).response).headers"));
    assert_eq!(headers["Content-Length"], "10");
}

#[test]
fn a_failure_is_awaited() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/close");
    let id = fixture.send(Call::get(&url));
    let failed = ("ERROR".into(), "Server returned nothing (no headers, no data)".into(), None, None);
    assert_eq!(wait_for(&mut fixture.client, id, ""), failed);
    assert!(fixture.value::<bool>(&format!("select net._await_response({id})")));
    fixture.received("/close");
}

#[test]
fn a_request_without_a_response_is_pending_at_the_timeout() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let id = ask_held(&mut fixture, "/held");
    for (timeout, length) in [("0", Duration::ZERO), ("200 milliseconds", Duration::from_millis(200))] {
        let start = Instant::now();
        assert_eq!(wait_for(&mut fixture.client, id, &format!(", '{timeout}'")), pending());
        assert!(start.elapsed() >= length, "{timeout}");
    }
    gate.release();
    assert_eq!(wait_for(&mut fixture.client, id, ", '1 month'"), success(200, "ok"));
}

/// One that another session deletes while it is under way, too: its outcome is dropped.
#[test]
fn a_request_that_vanishes_ends_the_wait() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let id = ask_held(&mut fixture, "/held");
    let (mut other, mut waiter) = (fixture.cluster.connect(), fixture.cluster.connect());
    allow_at_most(&mut waiter, PATIENCE);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| value::<bool>(&mut waiter, &format!("select net._await_response({id})")));
        wait_for_sleepers(&mut other, 1, "await_response");
        other.batch_execute("delete from net.http_request_queue").unwrap();
        gate.release();
        assert!(!waiting.join().unwrap());
    });
}

#[test]
fn a_snapshot_from_before_the_response_does_not_hide_it() {
    for level in ["repeatable read", "serializable"] {
        let mut fixture = Fixture::new();
        let gate = fixture.receiver.hold("/held");
        let id = ask_held(&mut fixture, "/held");
        let mut old = fixture.cluster.connect();
        allow_at_most(&mut old, PATIENCE);
        let mut transaction = old.build_transaction();
        transaction = transaction.isolation_level(match level {
            "serializable" => postgres::IsolationLevel::Serializable,
            _ => postgres::IsolationLevel::RepeatableRead,
        });
        let mut transaction = transaction.start().unwrap();
        let count = "select count(*) from net._http_response";
        assert_eq!(transaction.query_one(count, &[]).unwrap().get::<_, i64>(0), 0);
        gate.release();
        fixture.response(id);
        let status = format!("select (net.await_response({id})).status::text");
        assert_eq!(transaction.query_one(&status, &[]).unwrap().get::<_, &str>(0), "SUCCESS", "{level}");
        let collect = format!("select (net._http_collect_response({id}, async := false)).status::text");
        assert_eq!(transaction.query_one(&collect, &[]).unwrap().get::<_, &str>(0), "SUCCESS", "{level}");
        assert_eq!(
            transaction.query_one(count, &[]).unwrap().get::<_, i64>(0),
            0,
            "{level}: the snapshot is the old one"
        );
        transaction.commit().unwrap();
    }
}

/// One that is sent at most once has left the queue by then.
#[test]
fn a_request_that_is_sent_at_most_once_is_awaited() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role ann login; create role bob login").unwrap();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let mut ann = fixture.cluster.connect_as("ann", "postgres");
    let ask = Call::request("GET", &url).at_most_once().timeout(60_000).select();
    let id: i64 = value(&mut ann, &ask);
    fixture.received("/held");
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
    assert_eq!(wait_for(&mut ann, id, ", '100 ms'"), pending());
    assert_eq!(wait_for(&mut fixture.client, id, ", '0'"), pending());
    let mut bob = fixture.cluster.connect_as("bob", "postgres");
    assert_eq!(error_of(&mut bob, &format!("select net.await_response({id})")).0, "P0002");
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for(&mut ann, id, ""));
        wait_for_sleepers(&mut fixture.client, 1, "await_response");
        gate.release();
        assert_eq!(waiting.join().unwrap(), success(200, "ok"));
    });
}

/// A request is one without an outcome between its attempts, and again when it is sent once more.
#[test]
fn a_request_with_more_than_one_attempt_is_awaited_to_its_last() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/status/503");
    let id = fixture.send(Call::request("GET", &url).max_attempts(2));
    assert_eq!(wait_for(&mut fixture.client, id, ""), success(503, "status 503"));
    assert_eq!(fixture.receiver.count(), 2);
    // The dead letter stays when the response has expired.
    fixture.client.batch_execute("delete from net._http_response").unwrap();
    assert_eq!(wait_for(&mut fixture.client, id, ", '0'"), success(503, "status 503"));

    let gate = fixture.receiver.hold("/status/503");
    assert!(fixture.value::<bool>(&format!("select net.retry({id})")));
    assert_eq!(wait_for(&mut fixture.client, id, ", '0'"), pending());
    gate.release();
    assert_eq!(wait_for(&mut fixture.client, id, ""), success(503, "status 503"));
    assert_eq!(fixture.receiver.count(), 4);
}

#[test]
fn a_request_that_is_taken_back_ends_the_wait() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/never");
    let id = fixture.send(Call::request("GET", &url).not_before("now() + '1 hour'"));
    let mut waiter = fixture.cluster.connect();
    allow_at_most(&mut waiter, PATIENCE);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| error_of(&mut waiter, &format!("select net.await_response({id}, '1 hour')")).0);
        wait_for_sleepers(&mut fixture.client, 1, "await_response");
        assert!(fixture.value::<bool>(&format!("select net.cancel({id})")));
        assert_eq!(waiting.join().unwrap(), "P0002");
    });
    assert_eq!(fixture.receiver.count(), 0);
}

/// A session that waits holds no lock on the tables: TRUNCATE would wait for it, and the worker for TRUNCATE.
#[test]
fn a_session_in_await_response_blocks_no_other() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let id = ask_held(&mut fixture, "/held");
    let mut waiter = fixture.cluster.connect();
    allow_at_most(&mut waiter, PATIENCE);
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for(&mut waiter, id, ""));
        wait_for_sleepers(&mut fixture.client, 1, "await_response");
        fixture.client.batch_execute("set lock_timeout = '100ms'; truncate net._http_response").unwrap();
        fixture.client.batch_execute("begin; lock table net.http_request_queue; commit").unwrap();
        gate.release();
        assert_eq!(waiting.join().unwrap(), success(200, "ok"));
    });
}

#[test]
fn the_wait_outlasts_a_restart_of_the_worker() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let id = ask_held(&mut fixture, "/held");
    let mut waiter = fixture.cluster.connect();
    thread::scope(|scope| {
        let waiting = scope.spawn(|| wait_for(&mut waiter, id, ""));
        wait_for_sleepers(&mut fixture.client, 1, "await_response");
        let before = fixture.cluster.worker_pid(&mut fixture.client);
        fixture.client.batch_execute("select net.worker_restart()").unwrap();
        fixture.client.batch_execute("select net.wait_until_running()").unwrap();
        assert_ne!(fixture.cluster.worker_pid(&mut fixture.client), before, "it was restarted");
        gate.release();
        assert_eq!(waiting.join().unwrap(), success(200, "ok"));
    });
}

/// Also where the caller's search path has something else for everything.
#[test]
fn await_response_works_under_any_search_path() {
    let mut fixture = Fixture::new();
    let id = fixture.get("/status/200").id.unwrap();
    fixture
        .client
        .batch_execute(
            "create schema evil;
             create function evil.eq(bigint, bigint) returns bool language plpgsql as 'begin raise ''caught''; end';
             create operator evil.= (leftarg = bigint, rightarg = bigint, function = evil.eq);
             set search_path = evil, pg_catalog",
        )
        .unwrap();
    assert_eq!(wait_for(&mut fixture.client, id, ""), success(200, "status 200"));
    fixture.client.batch_execute("set search_path = ''").unwrap();
    assert_eq!(wait_for(&mut fixture.client, id, ""), success(200, "status 200"));
    assert_eq!(value::<i64>(&mut fixture.client, &format!("select net._await_response({id})::int::bigint")), 1);
}

/// Though the queue has no index by id.
#[test]
fn await_response_finds_a_request_without_a_sequential_scan() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/later");
    fixture.send_times(Call::request("GET", &url).not_before("now() + '1 hour'"), 100);
    // Of this session and in this transaction: the worker may look through the queue as it starts.
    let scans = "select seq_scan from pg_stat_xact_user_tables where relname = 'http_request_queue'";
    let scans_of = |client: &mut Client, ids: [i64; 3]| {
        client.batch_execute("begin").unwrap();
        let before: i64 = value(client, scans);
        for id in ids {
            assert_eq!(wait_for(client, id, ", '0'"), pending());
            assert!(value::<bool>(client, &format!("select net.cancel({id})")));
        }
        let after: i64 = value(client, scans);
        client.batch_execute("commit").unwrap();
        after - before
    };
    assert_eq!(scans_of(&mut fixture.client, [1, 50, 100]), 0);
    // A session that has asked for nothing looks through it once.
    assert_eq!(scans_of(&mut fixture.cluster.connect(), [2, 51, 99]), 1);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 94);
}
