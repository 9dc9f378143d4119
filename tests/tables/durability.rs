//! Logged and unlogged tables: what a crash leaves.

use testkit::{Call, Cluster, PATIENCE, Receiver, wait_until};

use crate::fixture::{Fixture, error_of};

/// A server that keeps what it says is on the disk, which is paused, so that requests wait.
fn fixture_with_waiting_requests() -> Fixture {
    let cluster = Cluster::builder().durable().conf("pg_net.paused", "on").start();
    cluster.connect().batch_execute("create extension pg_net").unwrap();
    Fixture::with(cluster)
}

fn crash(fixture: &mut Fixture) {
    fixture.cluster.kill_postmaster();
    fixture.cluster.start();
    fixture.client = fixture.cluster.connect();
}

fn persistence(fixture: &mut Fixture, relation: &str) -> String {
    fixture.value(&format!("select relpersistence::text from pg_class where oid = '{relation}'::regclass"))
}

#[test]
fn a_queue_set_unlogged_is_empty_after_a_crash_and_ids_go_on() {
    let mut fixture = fixture_with_waiting_requests();
    fixture.client.batch_execute("select net.set_queue_logged(false)").unwrap();
    assert_eq!(persistence(&mut fixture, "net.http_request_queue"), "u");
    assert_eq!(persistence(&mut fixture, "net.http_request_queue_id_seq"), "p");
    let url = fixture.receiver.url("/lost");
    let before = fixture.send(Call::get(&url));
    crash(&mut fixture);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
    let after = fixture.send(Call::get(&url));
    assert!(after > before, "{after} after {before}");
}

#[test]
fn a_queue_set_logged_again_survives_a_crash() {
    let mut fixture = fixture_with_waiting_requests();
    fixture.client.batch_execute("select net.set_queue_logged(false); select net.set_queue_logged(true)").unwrap();
    let url = fixture.receiver.url("/kept");
    let id = fixture.send(Call::get(&url));
    crash(&mut fixture);
    fixture.cluster.alter_system("pg_net.paused", "off");
    assert_eq!(fixture.response(id).status_code, Some(200));
    fixture.received("/kept");
}

#[test]
fn responses_survive_a_crash_only_if_they_are_logged() {
    for logged in [false, true] {
        let mut fixture = Fixture::with(Cluster::builder().durable().start_ready());
        fixture.client.batch_execute(&format!("select net.set_responses_logged({logged})")).unwrap();
        fixture.assert_works();
        crash(&mut fixture);
        let left = fixture.value::<i64>("select count(*) from net._http_response");
        assert_eq!(left, i64::from(logged), "logged: {logged}");
        fixture.assert_works();
    }
}

/// The worker goes on through the rewrite of its table, and loses nothing.
#[test]
fn switching_the_queues_persistence_loses_no_request_in_flight() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let ask = format!("select count(net.http_get('{url}?n=' || n, timeout_milliseconds := 60000))");
    fixture.value::<i64>(&format!("{ask} from generate_series(1, 10) n"));
    fixture.receiver.wait_for(10);
    fixture.client.batch_execute("select net.set_queue_logged(false)").unwrap();
    fixture.value::<i64>(&format!("{ask} from generate_series(11, 20) n"));
    fixture.client.batch_execute("select net.set_queue_logged(true)").unwrap();
    fixture.receiver.wait_for(20);
    gate.release();
    let answers = testkit::responses(&mut fixture.client, 20);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    assert_eq!((answers.len(), fixture.receiver.count()), (20, 20));
}

/// A rewritten table looks empty under a snapshot from before the rewrite. The worker waited for the lock, and must not use one.
#[test]
fn a_row_that_waits_while_the_queue_is_rewritten_is_sent() {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    let mut rewriting = fixture.cluster.connect();
    let url = fixture.receiver.url("/waits");
    // Does not wake the worker.
    let insert =
        format!("insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', '{url}', 2000)");
    fixture.client.batch_execute(&insert).unwrap();
    rewriting.batch_execute("begin; alter table net.http_request_queue set unlogged").unwrap();
    fixture.client.batch_execute("select net.wake()").unwrap();
    wait_until("the worker to wait for the queue", PATIENCE, || {
        fixture.value::<bool>(
            "select exists (select from pg_locks join pg_stat_activity using (pid)
                             where not granted and backend_type ilike '%pg_net%')",
        )
    });
    rewriting.batch_execute("commit").unwrap();
    fixture.received("/waits");
}

#[test]
fn only_the_owner_switches_persistence() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role alice; set role alice").unwrap();
    for switch in ["net.set_queue_logged(false)", "net.set_responses_logged(true)"] {
        assert_eq!(error_of(&mut fixture.client, &format!("select {switch}")).0, "42501", "{switch}");
    }
}

#[test]
fn a_queue_that_is_published_by_name_stays_logged() {
    let mut fixture = Fixture::with(Cluster::builder().conf("wal_level", "logical").start_ready());
    fixture.client.batch_execute("create publication p for table net.http_request_queue").unwrap();
    let (state, message) = error_of(&mut fixture.client, "select net.set_queue_logged(false)");
    assert_eq!(state, "55000");
    assert!(message.contains("publication"), "{message}");
    // And the worker's deletes have the replica identity that they need.
    fixture.assert_works();
}

/// A row known by a key of its own: a copy is another request.
#[test]
fn a_row_copied_within_the_queue_is_sent_as_well() {
    let mut fixture = Fixture::new();
    let target = Receiver::start();
    let url = target.url("/twice");
    fixture
        .client
        .batch_execute(&format!(
            "begin;
             select net.http_get('{url}');
             insert into net.http_request_queue select * from net.http_request_queue;
             commit"
        ))
        .unwrap();
    assert_eq!(testkit::responses(&mut fixture.client, 2).len(), 2);
    assert_eq!(target.count(), 2);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
}
