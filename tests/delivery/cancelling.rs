//! `net.cancel`: a request is sent, or taken back, and never both.

mod many;
mod moments;
mod stress;

use postgres::Client;
use testkit::{Call, Cluster, Gate, PATIENCE, Receiver};

use crate::fixture::{Fixture, allow_at_most, error_of, value};

/// Where a request stands that waits behind what is under way to its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// The worker has claimed it: it stands ready.
    Claimed,
    /// In the queue: the worker has claimed another one before it.
    Queued,
}

const STANDINGS: [Standing; 2] = [Standing::Claimed, Standing::Queued];

/// A server that has one request under way at a time, and one under way that is held: all others wait, and the first that is
/// asked for next stands as is said.
fn crowded_so_that_the_next_is(standing: Standing) -> (Fixture, Gate) {
    let before = if standing == Standing::Claimed { 1 } else { 2 };
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.max_in_flight_per_origin", "1").start_ready());
    allow_at_most(&mut fixture.client, PATIENCE);
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    fixture.send_times(Call::get(&url).timeout(60_000), before);
    fixture.received("/held");
    (fixture, gate)
}

/// The same where the worker has claimed all that it will.
fn crowded() -> (Fixture, Gate) {
    crowded_so_that_the_next_is(Standing::Queued)
}

/// Asks for a path that has to wait behind what is held. When it returns, the worker has claimed it if it will.
fn ask_waiting(fixture: &mut Fixture, path: &str) -> i64 {
    let url = fixture.receiver.url(path);
    let id = fixture.send(Call::get(&url));
    let is_up = fixture.client.batch_execute("select net.check_worker_is_up()").is_ok();
    if is_up {
        // The queue is read in order.
        let aside = Receiver::start();
        assert_eq!(fixture.fetch(Call::get(&aside.url("/"))).status_code, Some(200));
    }
    id
}

fn cancel(client: &mut Client, id: i64) -> bool {
    value(client, &format!("select net.cancel({id})"))
}

/// How often the receiver got a path.
fn arrivals(fixture: &Fixture, path: &str) -> usize {
    fixture.receiver.requests().iter().filter(|request| request.path() == path).count()
}

#[test]
fn a_waiting_request_is_cancelled() {
    for standing in STANDINGS {
        let (mut fixture, gate) = crowded_so_that_the_next_is(standing);
        let (lost, kept) = (ask_waiting(&mut fixture, "/lost"), ask_waiting(&mut fixture, "/kept"));
        let queued = fixture.value::<i64>("select count(*) from net.http_request_queue");
        assert!(cancel(&mut fixture.client, lost), "{standing:?}");
        assert!(!cancel(&mut fixture.client, lost), "a second time");
        assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), queued - 1);
        gate.release();
        assert_eq!(fixture.response(kept).status_code, Some(200));
        fixture.assert_works();
        assert_eq!(arrivals(&fixture, "/lost"), 0, "{standing:?}");
        assert_eq!(fixture.value::<i64>(&format!("select count(*) from net._http_response where id = {lost}")), 0);
        assert_eq!(error_of(&mut fixture.client, &format!("select net.await_response({lost})")).0, "P0002");
    }
}

#[test]
fn a_request_that_is_under_way_done_or_unknown_is_not_cancelled() {
    let (mut fixture, gate) = crowded();
    assert!(!cancel(&mut fixture.client, 1), "under way");
    assert!(!cancel(&mut fixture.client, 12345), "unknown");
    assert!(!fixture.value::<bool>("select net.cancel(null::bigint)"));
    gate.release();
    assert_eq!(fixture.response(1).status_code, Some(200));
    assert_eq!(fixture.response(2).status_code, Some(200));
    assert!(!cancel(&mut fixture.client, 1), "done");
    assert_eq!(arrivals(&fixture, "/held"), 2);
}

#[test]
fn a_request_that_waits_for_its_time_or_its_next_attempt_is_cancelled() {
    let mut fixture = Fixture::new();
    let (url, failing) = (fixture.receiver.url("/later"), fixture.receiver.url("/status/503"));
    let later = fixture.send(Call::request("GET", &url).not_before("now() + '1 hour'"));
    let retried = fixture.send(Call::request("GET", &failing).max_attempts(20));
    fixture.received("/status/503");
    testkit::wait_until("the first attempt to be recorded", PATIENCE, || {
        fixture.value::<bool>(&format!("select attempts > 0 from net.http_request_queue where id = {retried}"))
    });
    assert!(cancel(&mut fixture.client, later));
    // Its next attempt may be under way just now.
    testkit::wait_until("a moment between two attempts", PATIENCE, || cancel(&mut fixture.client, retried));
    let sent = arrivals(&fixture, "/status/503");
    fixture.assert_works();
    assert_eq!((arrivals(&fixture, "/later"), arrivals(&fixture, "/status/503")), (0, sent));
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
}

#[test]
fn only_the_caller_and_the_owner_may_cancel() {
    let (mut fixture, gate) = crowded();
    fixture
        .client
        .batch_execute(
            "create role ann login; create role bob login; create role eve login in role ann;
             create role reader login in role pg_read_all_data",
        )
        .unwrap();
    let path = fixture.receiver.url("/anns");
    let mut ann = fixture.cluster.connect_as("ann", "postgres");
    // Two of hers are claimed, however many of others' are.
    let first = fixture.receiver.url("/first");
    value::<i64>(&mut ann, &format!("select count(net.http_get('{first}')) from generate_series(1, 2)"));
    let mut of_ann = || Call::get(&path).send(&mut ann);
    let ids: Vec<i64> = (0..4).map(|_| of_ann()).collect();
    for (stranger, id) in [("bob", ids[0]), ("reader", ids[0])] {
        let mut client = fixture.cluster.connect_as(stranger, "postgres");
        assert!(!cancel(&mut client, id), "{stranger}");
    }
    for (role, id) in [("ann", ids[1]), ("eve", ids[2]), ("postgres", ids[3])] {
        let mut client = fixture.cluster.connect_as(role, "postgres");
        assert!(cancel(&mut client, id), "{role}");
    }
    gate.release();
    assert_eq!(fixture.response(ids[0]).status_code, Some(200));
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/anns"), 1);
}

#[test]
fn a_request_of_the_same_transaction_is_cancelled() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/never");
    fixture.client.batch_execute(&format!("begin; select net.cancel(net.http_get('{url}')); commit")).unwrap();
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/never"), 0);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
}

#[test]
fn a_transaction_that_cancels_cannot_be_prepared() {
    let mut fixture = Fixture::with(
        Cluster::builder()
            .conf("max_prepared_transactions", "5")
            .conf("pg_net.max_in_flight_per_origin", "1")
            .start_ready(),
    );
    let url = fixture.receiver.url("/later");
    let id = fixture.send(Call::request("GET", &url).not_before("now() + '1 hour'"));
    fixture.client.batch_execute(&format!("begin; select net.cancel({id})")).unwrap();
    let error = error_of(&mut fixture.client, "prepare transaction 'a'");
    assert_eq!(error, ("0A000".into(), "cannot prepare a transaction that has called net.cancel".into()));
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 1);
    assert!(cancel(&mut fixture.client, id), "it was rolled back");
}

#[test]
fn a_session_with_an_old_snapshot_cancels() {
    for level in ["repeatable read", "serializable"] {
        let (mut fixture, gate) = crowded();
        let mut old = fixture.cluster.connect();
        old.batch_execute(&format!("begin isolation level {level}; select count(*) from net.http_request_queue"))
            .unwrap();
        let id = ask_waiting(&mut fixture, "/lost");
        assert!(cancel(&mut old, id), "{level}");
        old.batch_execute("commit").unwrap();
        gate.release();
        fixture.assert_works();
        assert_eq!(arrivals(&fixture, "/lost"), 0, "{level}");
    }
}

/// It acts with the owner's rights, so what the caller's search path holds must not be met.
#[test]
fn cancel_works_under_any_search_path() {
    let (mut fixture, gate) = crowded();
    let id = ask_waiting(&mut fixture, "/lost");
    fixture
        .client
        .batch_execute(
            "create schema evil;
             create function evil.eq(bigint, bigint) returns bool language plpgsql as 'begin raise ''caught''; end';
             create operator evil.= (leftarg = bigint, rightarg = bigint, function = evil.eq);
             create function evil.pg_has_role(oid, oid, text) returns bool language plpgsql as 'begin raise ''caught''; end';
             set search_path = evil, pg_catalog",
        )
        .unwrap();
    assert!(cancel(&mut fixture.client, id));
    fixture.client.batch_execute("set search_path = ''").unwrap();
    assert!(!cancel(&mut fixture.client, id));
    gate.release();
    fixture.client.batch_execute("reset search_path").unwrap();
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/lost"), 0);
}
