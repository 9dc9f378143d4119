//! How long responses are kept.

use testkit::{Cluster, PATIENCE, wait_until};

use crate::support::Bench;

fn wait_until_none_is_left(bench: &mut Bench) {
    wait_until("the responses' expiry", PATIENCE, || {
        bench.value::<i64>("select count(*) from net._http_response") == 0
    });
}

#[test]
fn responses_expire_also_when_nothing_else_happens() {
    let mut bench = Bench::with(Cluster::builder().conf("pg_net.ttl", "1 second").start_ready());
    let answer = bench.get("/status/200");
    assert_eq!(answer.status_code, Some(200));
    wait_until_none_is_left(&mut bench);
    assert_eq!(bench.receiver.count(), 1);
}

#[test]
fn a_shorter_time_applies_on_reload() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        bench.get("/status/200");
    }
    bench.cluster.alter_system("pg_net.ttl", "100 milliseconds");
    wait_until_none_is_left(&mut bench);
    bench.cluster.alter_system("pg_net.ttl", "1 day");
    bench.assert_works();
    assert_eq!(bench.value::<i64>("select count(*) from net._http_response"), 1);
}

#[test]
fn a_young_response_outlives_an_old_one() {
    let mut bench = Bench::with(Cluster::builder().conf("pg_net.ttl", "1 hour").start_ready());
    bench.get("/status/200");
    bench.get("/status/201");
    bench
        .client
        .batch_execute("update net._http_response set created = now() - interval '2 hours' where id = 1")
        .unwrap();
    bench.get("/status/202");
    // A reload has the worker look anew.
    bench.cluster.alter_system("pg_net.ttl", "90 minutes");
    wait_until("the old one's expiry", PATIENCE, || {
        bench.value::<i64>("select count(*) from net._http_response where id = 1") == 0
    });
    assert_eq!(bench.value::<i64>("select count(*) from net._http_response"), 2);
    assert_eq!(bench.receiver.count(), 3);
}
