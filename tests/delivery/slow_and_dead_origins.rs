//! Origins that are slow, and origins that are dead.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use testkit::{Call, Cluster, FullPort, Observer, PATIENCE, Receiver, Request, wait_until};

use crate::fixture::{Fixture, value};

/// A failure of one's own attempt, which waited for the answer until its time was up.
const OWN_TIME_OUT: &str = "timed_out and error_kind = 'timeout' and attempts = 1 and remote_address is not null \
    and elapsed_ms >= 1000 and exchange_ms > 0 and status_code is null";

fn count(fixture: &mut Fixture, condition: &str) -> i64 {
    fixture.value(&format!("select count(*) from net._http_response where {condition}"))
}

fn wait_for_responses(fixture: &mut Fixture, all: i64) {
    wait_until("all responses", 3 * PATIENCE, || count(fixture, "true") == all);
}

fn assert_nobody_is_sick(fixture: &mut Fixture) {
    assert_eq!(fixture.value::<i64>("select count(*) from net.origin_state()"), 0);
}

#[test]
fn case_0_of_forty_calls_of_a_function_that_is_slower_than_the_timeout_all_arrive() {
    let mut fixture = Fixture::new();
    let slow = fixture.receiver.url("/delay/3000");
    for _ in 0..40 {
        fixture.send(Call::post(&slow).timeout(1000));
    }
    fixture.receiver.wait_for(40);
    wait_for_responses(&mut fixture, 40);
    assert_eq!((count(&mut fixture, OWN_TIME_OUT), fixture.receiver.count()), (40, 40));
    assert_nobody_is_sick(&mut fixture);
}

#[test]
fn case_0_of_a_hundred_in_one_commit_all_arrive() {
    let mut fixture = Fixture::new();
    let slow = fixture.receiver.url("/delay/3000");
    fixture.send_times(Call::post(&slow).timeout(1000), 100);
    fixture.receiver.wait_for(100);
    wait_for_responses(&mut fixture, 100);
    assert_eq!((count(&mut fixture, OWN_TIME_OUT), fixture.receiver.count()), (100, 100));
    assert_nobody_is_sick(&mut fixture);
}

#[test]
fn case_0_a_slow_path_takes_nothing_from_a_fast_one_of_the_same_host() {
    let mut fixture = Fixture::new();
    let (slow, fast) = (fixture.receiver.url("/delay/3000"), fixture.receiver.url("/fast"));
    let calls = format!(
        "select net.http_post('{slow}', timeout_milliseconds := 1000), net.http_post('{fast}', timeout_milliseconds := 1000) \
           from generate_series(1, 20)"
    );
    fixture.client.batch_execute(&calls).unwrap();
    let arrived = fixture.receiver.wait_for(40);
    assert_eq!(arrived.iter().filter(|request| request.path() == "/fast").count(), 20);
    wait_for_responses(&mut fixture, 40);
    assert_eq!(count(&mut fixture, &format!("url like '%/delay/3000' and {OWN_TIME_OUT}")), 20);
    assert_eq!(count(&mut fixture, "url like '%/fast' and status_code = 200 and attempts = 1"), 20);
    assert_eq!(fixture.receiver.count(), 40);
    assert_nobody_is_sick(&mut fixture);
}

#[test]
fn case_0_of_ten_thousand_calls_at_the_default_settings_all_arrive() {
    let mut fixture = Fixture::new();
    let slow = fixture.receiver.url("/hang");
    fixture.send_times(Call::post(&slow).timeout(300), 10_000);
    wait_for_responses(&mut fixture, 10_000);
    let own = "timed_out and error_kind = 'timeout' and attempts = 1 and exchange_ms > 0 and elapsed_ms >= 300";
    assert_eq!((count(&mut fixture, own), fixture.receiver.count()), (10_000, 10_000));
    assert_nobody_is_sick(&mut fixture);
    fixture.assert_works();
}

#[test]
fn case_0_each_request_to_a_dead_origin_ends_with_a_failure_of_its_own_to_connect() {
    let mut fixture = Fixture::new();
    let dead = [(); 3].map(|()| Receiver::refused_port());
    for port in &dead {
        fixture.send_times(Call::get(&port.url("/")), 300);
    }
    fixture.assert_works();
    wait_for_responses(&mut fixture, 901);
    let own = "error_kind = 'connect' and error_msg = 'Couldn''t connect to server' and error_detail like '%refused%' \
               and attempts = 1 and handshake_ms > 0 and coalesce(exchange_ms, 0) = 0 and remote_address is null \
               and not timed_out";
    assert_eq!(count(&mut fixture, own), 900);
    let sick = "select count(*) from net.origin_state() where state = 'probing' and failures = 300 \
                and last_failure = 'connect' and failing_since between now() - interval '1 minute' and now() \
                and held_until is null";
    assert_eq!(fixture.value::<i64>(sick), 3);
}

#[test]
fn case_0_where_connecting_takes_all_the_time_the_origin_is_sick_and_each_request_has_tried() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.breaker_failures", "3").start_ready());
    let full = FullPort::take();
    fixture.send_times(Call::get(&full.url("/")).timeout(300), 100);
    fixture.assert_works();
    wait_for_responses(&mut fixture, 101);
    let own = "timed_out and error_kind = 'timeout' and attempts = 1 and elapsed_ms between 300 and 1000 \
               and handshake_ms >= 300 and coalesce(exchange_ms, 0) = 0 and remote_address is null";
    assert_eq!(count(&mut fixture, own), 100);
    let state = "select state from net.origin_state() where last_failure = 'timeout'";
    assert_eq!(fixture.value::<String>(state), "probing");
}

/// Counts what came.
#[derive(Clone, Default)]
struct Count(Arc<AtomicUsize>);

impl Observer for Count {
    fn received(&self, _: &Request) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }

    fn done(&self, _: &Request, _: bool) {}
}

#[test]
fn case_0_an_origin_that_is_back_gets_all_that_wait() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.retry_base", "100ms").start_ready());
    let dead = Receiver::refused_port();
    let call = Call::request("GET", &dead.url("/back")).max_attempts(100).select();
    fixture.client.batch_execute(&format!("{call} from generate_series(1, 200)")).unwrap();
    let state = "select coalesce(max(state), '') from net.origin_state()";
    wait_until("failures enough", PATIENCE, || fixture.value::<String>(state) == "probing");
    let arrived = Count::default();
    let _back = Receiver::on_port(dead.port(), arrived.clone());
    wait_for_responses(&mut fixture, 200);
    assert_eq!((count(&mut fixture, "status_code = 200"), arrived.0.load(Ordering::SeqCst)), (200, 200));
    assert!(count(&mut fixture, "attempts > 1") >= 5, "those that failed before have gone out again");
    wait_until("the end of it", PATIENCE, || fixture.value::<String>(state).is_empty());
}

/// Queues a thousand requests to each of these, and sends to a healthy origin behind them and beside them.
fn assert_others_are_served_beside(urls: impl Iterator<Item = String>) {
    let mut fixture = Fixture::new();
    for url in urls {
        fixture.send_times(Call::get(&url).timeout(5000), 1000);
    }
    let ok = fixture.receiver.url("/ok");
    let mut slowest = Duration::ZERO;
    for _ in 0..50 {
        let start = Instant::now();
        let id = fixture.send(Call::get(&ok));
        fixture.client.batch_execute(&format!("select net.await_response({id})")).unwrap();
        slowest = slowest.max(start.elapsed());
    }
    assert_eq!(fixture.receiver.count(), 50);
    assert_eq!(count(&mut fixture, "status_code = 200"), 50);
    assert!(slowest < Duration::from_secs(2), "{slowest:?}");
    let waiting = "select count(*) from net.http_request_queue";
    assert!(value::<i64>(&mut fixture.client, waiting) > 30_000, "the others wait");
}

#[test]
fn case_0_fifty_dead_origins_with_a_thousand_waiting_each_do_not_keep_a_healthy_one_waiting() {
    let refusing = [(); 35].map(|()| Receiver::refused_port());
    let full = [(); 15].map(|()| FullPort::take());
    // Those first that take longest to show that they are dead.
    let urls = full.iter().map(|port| port.url("/")).chain(refusing.iter().map(|port| port.url("/")));
    assert_others_are_served_beside(urls);
}

#[test]
fn case_0_fifty_origins_that_hang_with_a_thousand_waiting_each_do_not_keep_a_healthy_one_waiting() {
    let hanging = [(); 50].map(|()| Receiver::start());
    assert_others_are_served_beside(hanging.iter().map(|receiver| receiver.url("/hang")));
    assert!(hanging.iter().all(|receiver| receiver.count() > 0), "each of them gets something meanwhile");
}
