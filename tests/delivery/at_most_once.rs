//! Requests that are sent at most once: whatever happens, never twice.

use testkit::{Call, Cluster, PATIENCE, kill, wait_until};

use crate::fixture::{Fixture, error_of, reconnect};

/// Puts a request in flight that the receiver holds.
fn in_flight(fixture: &mut Fixture) -> i64 {
    let url = fixture.receiver.url("/held");
    let id = fixture.send(Call::request("POST", &url).text("x").at_most_once().timeout(60_000));
    fixture.received("/held");
    id
}

/// How often the receiver has got the request of [`in_flight`].
fn arrived(fixture: &Fixture) -> usize {
    fixture.receiver.requests().iter().filter(|request| request.path() == "/held").count()
}

fn queued(fixture: &mut Fixture) -> i64 {
    fixture.value("select count(*) from net.http_request_queue")
}

#[test]
fn sent_at_most_once_a_request_has_left_the_queue_when_it_arrives() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let id = in_flight(&mut fixture);
    assert_eq!(queued(&mut fixture), 0);
    gate.release();
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!(fixture.receiver.count(), 1);
}

#[test]
fn sent_at_most_once_a_request_is_not_sent_again_after_the_worker_is_killed() {
    let mut fixture = Fixture::with(Cluster::builder().durable().start_ready());
    let gate = fixture.receiver.hold("/held");
    in_flight(&mut fixture);
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    kill(pid);
    reconnect(&mut fixture);
    gate.release();
    fixture.assert_works();
    assert_eq!(queued(&mut fixture), 0);
    assert_eq!(arrived(&fixture), 1);
}

/// Where commits wait for no flush, the worker's do: also where that was set while the worker ran.
#[test]
fn sent_at_most_once_a_request_is_not_sent_again_after_a_crash_with_asynchronous_commits() {
    // Nothing else flushes in the meantime.
    let mut fixture = Fixture::with(Cluster::builder().durable().conf("wal_writer_delay", "10s").start_ready());
    fixture.assert_works();
    fixture.cluster.alter_system("synchronous_commit", "off");
    // What the worker says of this shows that it has read the other one, too.
    fixture.cluster.alter_system("pg_net.tls_ca_file", "/nonexistent/authorities.pem");
    fixture.cluster.wait_for_log("pg_net: /nonexistent/authorities.pem: No such file");
    fixture.client.batch_execute("set synchronous_commit = on").unwrap();
    let gate = fixture.receiver.hold("/held");
    in_flight(&mut fixture);
    fixture.cluster.kill_postmaster();
    gate.release();
    fixture.cluster.start();
    fixture.client = fixture.cluster.connect();
    fixture.assert_works();
    assert_eq!(queued(&mut fixture), 0);
    assert_eq!(arrived(&fixture), 1);
}

#[test]
fn sent_at_most_once_a_request_cut_off_by_the_workers_end_fails_and_says_so() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let id = in_flight(&mut fixture);
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    assert!(fixture.value::<bool>(&format!("select pg_terminate_backend({pid})")));
    fixture.response(id).assert_failure("Interrupted: it may have been sent, and is not sent again");
    assert_eq!(fixture.value::<String>("select error_kind from net._http_response"), "abandoned");
    gate.release();
    fixture.assert_works();
    assert_eq!(arrived(&fixture), 1);
}

#[test]
fn sent_at_most_once_a_request_takes_no_second_attempt() {
    let mut fixture = Fixture::new();
    let (state, message) = error_of(
        &mut fixture.client,
        "select net.http_request('GET', 'http://127.0.0.1/', delivery => 'at_most_once', max_attempts => 2)",
    );
    assert_eq!(state, "22023");
    assert!(message.contains("at most once"), "{message}");
}

/// The functions refuse that, but a role that may insert can ask for it.
#[test]
fn sent_at_most_once_a_row_with_more_attempts_has_one_and_its_outcome() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/close");
    let id = fixture.value::<i64>(&format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds, delivery, max_attempts)
         values ('GET', '{url}', 5000, 'at_most_once', 5) returning id"
    ));
    fixture.client.batch_execute("select net.wake()").unwrap();
    fixture.response(id).assert_failure("Server returned nothing (no headers, no data)");
    assert_eq!((fixture.receiver.count(), queued(&mut fixture)), (1, 0));
    assert_eq!(fixture.value::<i64>("select count(*) from net.dead_letter"), 0);
}

#[test]
fn sent_at_most_once_a_row_that_is_locked_waits_and_holds_up_no_other() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/locked");
    // Locked before it is due, so that the worker meets it locked.
    let id =
        fixture.send(Call::request("GET", &url).at_most_once().not_before("clock_timestamp() + interval '1 second'"));
    let mut locker = fixture.cluster.connect();
    locker.batch_execute("begin; select from net.http_request_queue for update").unwrap();
    wait_until("its time", PATIENCE, || {
        fixture.value::<bool>("select due < clock_timestamp() from net.http_request_queue")
    });
    for _ in 0..3 {
        fixture.assert_works();
    }
    assert!(fixture.receiver.requests().iter().all(|request| request.path() != "/locked"));
    locker.batch_execute("rollback").unwrap();
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!((queued(&mut fixture), fixture.receiver.count()), (0, 4));
}
