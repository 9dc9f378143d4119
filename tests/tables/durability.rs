//! Logged and unlogged tables: what a crash leaves.

use testkit::{Cluster, PATIENCE, Receiver, wait_until};

use crate::support::{Bench, error_of};

/// A server that keeps what it says is on the disk, which is paused, so that requests wait.
fn bench_with_waiting_requests() -> Bench {
    let cluster = Cluster::builder().durable().conf("pg_net.paused", "on").start();
    cluster.connect().batch_execute("create extension pg_net").unwrap();
    Bench::with(cluster)
}

fn crash(bench: &mut Bench) {
    bench.cluster.kill_postmaster();
    bench.cluster.start();
    bench.client = bench.cluster.connect();
}

fn persistence(bench: &mut Bench, relation: &str) -> String {
    bench.value(&format!("select relpersistence::text from pg_class where oid = '{relation}'::regclass"))
}

#[test]
fn a_queue_set_unlogged_is_empty_after_a_crash_and_ids_go_on() {
    let mut bench = bench_with_waiting_requests();
    bench.client.batch_execute("select net.set_queue_logged(false)").unwrap();
    assert_eq!(persistence(&mut bench, "net.http_request_queue"), "u");
    assert_eq!(persistence(&mut bench, "net.http_request_queue_id_seq"), "p");
    let url = bench.receiver.url("/lost");
    let before = bench.ask(&format!("select net.http_get('{url}')"));
    crash(&mut bench);
    assert_eq!(bench.value::<i64>("select count(*) from net.http_request_queue"), 0);
    let after = bench.ask(&format!("select net.http_get('{url}')"));
    assert!(after > before, "{after} after {before}");
}

#[test]
fn a_queue_set_logged_again_survives_a_crash() {
    let mut bench = bench_with_waiting_requests();
    bench.client.batch_execute("select net.set_queue_logged(false); select net.set_queue_logged(true)").unwrap();
    let url = bench.receiver.url("/kept");
    let id = bench.ask(&format!("select net.http_get('{url}')"));
    crash(&mut bench);
    bench.cluster.alter_system("pg_net.paused", "off");
    assert_eq!(bench.response(id).status_code, Some(200));
    bench.received("/kept");
}

#[test]
fn responses_survive_a_crash_only_if_they_are_logged() {
    for logged in [false, true] {
        let mut bench = Bench::with(Cluster::builder().durable().start_ready());
        bench.client.batch_execute(&format!("select net.set_responses_logged({logged})")).unwrap();
        bench.assert_works();
        crash(&mut bench);
        let left = bench.value::<i64>("select count(*) from net._http_response");
        assert_eq!(left, i64::from(logged), "logged: {logged}");
        bench.assert_works();
    }
}

/// The worker goes on through the rewrite of its table, and loses nothing.
#[test]
fn the_queue_is_switched_while_requests_are_in_flight() {
    let mut bench = Bench::new();
    let gate = bench.receiver.hold("/held");
    let url = bench.receiver.url("/held");
    let ask = format!("select count(net.http_get('{url}?n=' || n, timeout_milliseconds := 60000))");
    bench.value::<i64>(&format!("{ask} from generate_series(1, 10) n"));
    bench.receiver.wait_for(10);
    bench.client.batch_execute("select net.set_queue_logged(false)").unwrap();
    bench.value::<i64>(&format!("{ask} from generate_series(11, 20) n"));
    bench.client.batch_execute("select net.set_queue_logged(true)").unwrap();
    bench.receiver.wait_for(20);
    gate.release();
    let answers = testkit::responses(&mut bench.client, 20);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    assert_eq!((answers.len(), bench.receiver.count()), (20, 20));
}

/// A rewritten table is empty to whoever looks with a snapshot from before. The worker, which waited for the lock, does not.
#[test]
fn a_row_that_waits_while_the_queue_is_rewritten_is_sent() {
    let mut bench = Bench::new();
    bench.assert_works();
    let mut rewriting = bench.cluster.connect();
    let url = bench.receiver.url("/waits");
    // Does not wake the worker.
    let insert =
        format!("insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', '{url}', 2000)");
    bench.client.batch_execute(&insert).unwrap();
    rewriting.batch_execute("begin; alter table net.http_request_queue set unlogged").unwrap();
    bench.client.batch_execute("select net.wake()").unwrap();
    wait_until("the worker to wait for the queue", PATIENCE, || {
        bench.value::<bool>(
            "select exists (select from pg_locks join pg_stat_activity using (pid)
                             where not granted and backend_type ilike '%pg_net%')",
        )
    });
    rewriting.batch_execute("commit").unwrap();
    bench.received("/waits");
}

#[test]
fn the_switches_are_the_owners() {
    let mut bench = Bench::new();
    bench.client.batch_execute("create role alice; set role alice").unwrap();
    for switch in ["net.set_queue_logged(false)", "net.set_responses_logged(true)"] {
        assert_eq!(error_of(&mut bench.client, &format!("select {switch}")).0, "42501", "{switch}");
    }
}

#[test]
fn a_queue_that_is_published_by_name_stays_logged() {
    let mut bench = Bench::with(Cluster::builder().conf("wal_level", "logical").start_ready());
    bench.client.batch_execute("create publication p for table net.http_request_queue").unwrap();
    let (state, message) = error_of(&mut bench.client, "select net.set_queue_logged(false)");
    assert_eq!(state, "55000");
    assert!(message.contains("publication"), "{message}");
    // And the worker's deletes have the replica identity that they need.
    bench.assert_works();
}

/// A row known by a key of its own: a copy is another request.
#[test]
fn a_row_copied_within_the_queue_is_sent_as_well() {
    let mut bench = Bench::new();
    let target = Receiver::start();
    let url = target.url("/twice");
    bench
        .client
        .batch_execute(&format!(
            "begin;
             select net.http_get('{url}');
             insert into net.http_request_queue select * from net.http_request_queue;
             commit"
        ))
        .unwrap();
    assert_eq!(testkit::responses(&mut bench.client, 2).len(), 2);
    assert_eq!(target.count(), 2);
    assert_eq!(bench.value::<i64>("select count(*) from net.http_request_queue"), 0);
}
