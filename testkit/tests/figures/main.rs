//! What the project promises in figures. Its tests take turns and have the machine for themselves: cargo runs this binary
//! before or after the others, never beside them.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use testkit::{Cluster, Nginx, Receiver, response};

fn alone() -> MutexGuard<'static, ()> {
    static TURN: Mutex<()> = Mutex::new(());
    TURN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits, by asking twice a millisecond at most, until so many responses are there; how long that took.
fn time_until(client: &mut postgres::Client, count: i64, start: Instant) -> Duration {
    let ready = client.prepare("select count(*) from net._http_response").unwrap();
    testkit::wait_until(&format!("{count} responses"), Duration::from_secs(60), || {
        client.query_one(&ready, &[]).unwrap().get::<_, i64>(0) >= count
    });
    start.elapsed()
}

#[test]
fn fast_answers_are_there_within_200_ms_beside_a_slow_one() {
    let _alone = alone();
    let cluster = Cluster::start_default();
    let mut client = cluster.connect();
    let (fast, slow) = (Receiver::start(), Receiver::start());
    let (fast_url, slow_url) = (fast.url("/fast"), slow.url("/delay/2000"));
    let mut transaction = client.transaction().unwrap();
    let id: i64 = transaction
        .query_one(&format!("select net.http_get('{slow_url}', timeout_milliseconds := 10000)"), &[])
        .unwrap()
        .get(0);
    transaction.batch_execute(&format!("select net.http_get('{fast_url}') from generate_series(1, 50)")).unwrap();
    let start = Instant::now();
    transaction.commit().unwrap();
    let took = time_until(&mut client, 50, start);
    println!("50 fast answers beside a slow one: {took:?}");
    assert!(took <= Duration::from_millis(200), "{took:?}");

    let statuses = "select count(*) from net._http_response where status_code = 200 and id > $1";
    assert_eq!(client.query_one(statuses, &[&id]).unwrap().get::<_, i64>(0), 50);
    assert_eq!(fast.count(), 50);
    assert_eq!(response(&mut client, id).status_code, Some(200));
    assert!(start.elapsed() >= Duration::from_secs(2));
}

#[test]
fn ten_thousand_requests_take_at_most_four_seconds() {
    let _alone = alone();
    let cluster = Cluster::builder().durable().start_ready();
    let mut client = cluster.connect();
    let nginx = Nginx::start();
    let url = nginx.url("/");
    let mut transaction = client.transaction().unwrap();
    transaction.batch_execute(&format!("select net.http_get('{url}') from generate_series(1, 10000)")).unwrap();
    let start = Instant::now();
    transaction.commit().unwrap();
    let took = time_until(&mut client, 10_000, start);
    println!("10,000 requests in one transaction: {took:?}");
    assert!(took <= Duration::from_secs(4), "{took:?}");

    let good = "select count(*), count(distinct id) from net._http_response where status_code = 200 and content = 'ok'";
    let row = client.query_one(good, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1)), (10_000, 10_000));
    assert_eq!(nginx.wait_for(10_000).len(), 10_000);
}
