//! `net.cancel`: a request is sent, or taken back, and never both.

mod many;
mod moments;
mod stress;

use postgres::Client;
use testkit::{Cluster, Gate, PATIENCE, Receiver};

use crate::support::{Bench, allow_at_most, ask, error_of, value};

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
fn crowded_so_that_the_next_is(standing: Standing) -> (Bench, Gate) {
    let before = if standing == Standing::Claimed { 1 } else { 2 };
    let mut bench = Bench::with(Cluster::builder().conf("pg_net.max_in_flight_per_origin", "1").start_ready());
    allow_at_most(&mut bench.client, PATIENCE);
    let gate = bench.receiver.hold("/held");
    let url = bench.receiver.url("/held");
    let ask = format!("select net.http_get('{url}', timeout_milliseconds := 60000) from generate_series(1, {before})");
    bench.client.batch_execute(&ask).unwrap();
    bench.received("/held");
    (bench, gate)
}

/// The same where the worker has claimed all that it will.
fn crowded() -> (Bench, Gate) {
    crowded_so_that_the_next_is(Standing::Queued)
}

/// Asks for a path that has to wait behind what is held. When it returns, the worker has claimed it if it will.
fn ask_waiting(bench: &mut Bench, path: &str) -> i64 {
    let url = bench.receiver.url(path);
    let id = bench.ask(&format!("select net.http_get('{url}')"));
    let is_up = bench.client.batch_execute("select net.check_worker_is_up()").is_ok();
    if is_up {
        // The queue is read in order.
        let aside = Receiver::start();
        let last = bench.ask(&format!("select net.http_get('{}')", aside.url("/")));
        assert_eq!(bench.response(last).status_code, Some(200));
    }
    id
}

fn cancel(client: &mut Client, id: i64) -> bool {
    value(client, &format!("select net.cancel({id})"))
}

/// How often the receiver got a path.
fn arrivals(bench: &Bench, path: &str) -> usize {
    bench.receiver.requests().iter().filter(|request| request.path() == path).count()
}

#[test]
fn a_waiting_request_is_taken_back() {
    for standing in STANDINGS {
        let (mut bench, gate) = crowded_so_that_the_next_is(standing);
        let (lost, kept) = (ask_waiting(&mut bench, "/lost"), ask_waiting(&mut bench, "/kept"));
        let queued = bench.value::<i64>("select count(*) from net.http_request_queue");
        assert!(cancel(&mut bench.client, lost), "{standing:?}");
        assert!(!cancel(&mut bench.client, lost), "a second time");
        assert_eq!(bench.value::<i64>("select count(*) from net.http_request_queue"), queued - 1);
        gate.release();
        assert_eq!(bench.response(kept).status_code, Some(200));
        bench.assert_works();
        assert_eq!(arrivals(&bench, "/lost"), 0, "{standing:?}");
        assert_eq!(bench.value::<i64>(&format!("select count(*) from net._http_response where id = {lost}")), 0);
        assert_eq!(error_of(&mut bench.client, &format!("select net.await_response({lost})")).0, "P0002");
    }
}

#[test]
fn a_request_that_is_under_way_done_or_unknown_is_not_taken_back() {
    let (mut bench, gate) = crowded();
    assert!(!cancel(&mut bench.client, 1), "under way");
    assert!(!cancel(&mut bench.client, 12345), "unknown");
    assert!(!bench.value::<bool>("select net.cancel(null::bigint)"));
    gate.release();
    assert_eq!(bench.response(1).status_code, Some(200));
    assert_eq!(bench.response(2).status_code, Some(200));
    assert!(!cancel(&mut bench.client, 1), "done");
    assert_eq!(arrivals(&bench, "/held"), 2);
}

#[test]
fn a_request_that_waits_for_its_time_or_its_next_attempt_is_taken_back() {
    let mut bench = Bench::new();
    let (url, failing) = (bench.receiver.url("/later"), bench.receiver.url("/status/503"));
    let later = bench.ask(&format!("select net.http_request('GET', '{url}', not_before := now() + '1 hour')"));
    let retried = bench.ask(&format!("select net.http_request('GET', '{failing}', max_attempts := 20)"));
    bench.received("/status/503");
    testkit::wait_until("the first attempt to be recorded", PATIENCE, || {
        bench.value::<bool>(&format!("select attempts > 0 from net.http_request_queue where id = {retried}"))
    });
    assert!(cancel(&mut bench.client, later));
    // Its next attempt may be under way just now.
    testkit::wait_until("a moment between two attempts", PATIENCE, || cancel(&mut bench.client, retried));
    let sent = arrivals(&bench, "/status/503");
    bench.assert_works();
    assert_eq!((arrivals(&bench, "/later"), arrivals(&bench, "/status/503")), (0, sent));
    assert_eq!(bench.value::<i64>("select count(*) from net.http_request_queue"), 0);
}

#[test]
fn only_who_asked_and_the_owner_may_take_back() {
    let (mut bench, gate) = crowded();
    bench
        .client
        .batch_execute(
            "create role ann login; create role bob login; create role eve login in role ann;
             create role reader login in role pg_read_all_data",
        )
        .unwrap();
    let path = bench.receiver.url("/anns");
    let mut ann = bench.cluster.connect_as("ann", "postgres");
    // Two of hers are claimed, however many of others' are.
    let first = bench.receiver.url("/first");
    value::<i64>(&mut ann, &format!("select count(net.http_get('{first}')) from generate_series(1, 2)"));
    let mut of_ann = || ask(&mut ann, &format!("select net.http_get('{path}')"));
    let ids: Vec<i64> = (0..4).map(|_| of_ann()).collect();
    for (stranger, id) in [("bob", ids[0]), ("reader", ids[0])] {
        let mut client = bench.cluster.connect_as(stranger, "postgres");
        assert!(!cancel(&mut client, id), "{stranger}");
    }
    for (role, id) in [("ann", ids[1]), ("eve", ids[2]), ("postgres", ids[3])] {
        let mut client = bench.cluster.connect_as(role, "postgres");
        assert!(cancel(&mut client, id), "{role}");
    }
    gate.release();
    assert_eq!(bench.response(ids[0]).status_code, Some(200));
    bench.assert_works();
    assert_eq!(arrivals(&bench, "/anns"), 1);
}

#[test]
fn a_request_of_the_same_transaction_is_taken_back() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/never");
    bench.client.batch_execute(&format!("begin; select net.cancel(net.http_get('{url}')); commit")).unwrap();
    bench.assert_works();
    assert_eq!(arrivals(&bench, "/never"), 0);
    assert_eq!(bench.value::<i64>("select count(*) from net.http_request_queue"), 0);
}

#[test]
fn a_transaction_that_takes_back_cannot_be_prepared() {
    let mut bench = Bench::with(
        Cluster::builder()
            .conf("max_prepared_transactions", "5")
            .conf("pg_net.max_in_flight_per_origin", "1")
            .start_ready(),
    );
    let url = bench.receiver.url("/later");
    let id = bench.ask(&format!("select net.http_request('GET', '{url}', not_before := now() + '1 hour')"));
    bench.client.batch_execute(&format!("begin; select net.cancel({id})")).unwrap();
    let error = error_of(&mut bench.client, "prepare transaction 'a'");
    assert_eq!(error, ("0A000".into(), "cannot prepare a transaction that has called net.cancel".into()));
    assert_eq!(bench.value::<i64>("select count(*) from net.http_request_queue"), 1);
    assert!(cancel(&mut bench.client, id), "it was rolled back");
}

#[test]
fn an_old_snapshot_is_no_obstacle() {
    for level in ["repeatable read", "serializable"] {
        let (mut bench, gate) = crowded();
        let mut old = bench.cluster.connect();
        old.batch_execute(&format!("begin isolation level {level}; select count(*) from net.http_request_queue"))
            .unwrap();
        let id = ask_waiting(&mut bench, "/lost");
        assert!(cancel(&mut old, id), "{level}");
        old.batch_execute("commit").unwrap();
        gate.release();
        bench.assert_works();
        assert_eq!(arrivals(&bench, "/lost"), 0, "{level}");
    }
}

/// It acts with the owner's rights, so what the caller's search path holds must not be met.
#[test]
fn the_search_path_changes_nothing() {
    let (mut bench, gate) = crowded();
    let id = ask_waiting(&mut bench, "/lost");
    bench
        .client
        .batch_execute(
            "create schema evil;
             create function evil.eq(bigint, bigint) returns bool language plpgsql as 'begin raise ''caught''; end';
             create operator evil.= (leftarg = bigint, rightarg = bigint, function = evil.eq);
             create function evil.pg_has_role(oid, oid, text) returns bool language plpgsql as 'begin raise ''caught''; end';
             set search_path = evil, pg_catalog",
        )
        .unwrap();
    assert!(cancel(&mut bench.client, id));
    bench.client.batch_execute("set search_path = ''").unwrap();
    assert!(!cancel(&mut bench.client, id));
    gate.release();
    bench.client.batch_execute("reset search_path").unwrap();
    bench.assert_works();
    assert_eq!(arrivals(&bench, "/lost"), 0);
}
