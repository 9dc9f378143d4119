//! What an operator does to the tables while requests come and go.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use testkit::{Call, PATIENCE, responses, wait_until};

use crate::fixture::{Fixture, allow_at_most, value};

/// The longest that a command may take: it waits for transactions of the worker, never for requests.
const PROMPTLY: Duration = Duration::from_secs(5);

const REQUESTS: usize = 4000;

/// Has 4,000 requests sent while a command runs again and again.
fn run_during_requests(fixture: &mut Fixture, command: &str) {
    let url = fixture.receiver.url("/x");
    let mut operator = fixture.cluster.connect();
    allow_at_most(&mut operator, PROMPTLY);
    let (sent, times, client) = (AtomicBool::new(false), AtomicUsize::new(0), &mut fixture.client);
    thread::scope(|scope| {
        let operating = scope.spawn(|| {
            while !sent.load(Relaxed) {
                operator.batch_execute(command).unwrap_or_else(|error| panic!("{command}: {error:?}"));
                times.fetch_add(1, Relaxed);
            }
        });
        for _ in 0..REQUESTS / 100 {
            let ask = format!("select net.http_get('{url}/' || n) from generate_series(1, 100) as n");
            client.batch_execute(&ask).unwrap();
            // The command runs between any two of them.
            let before = times.load(Relaxed);
            wait_until("another run of the command", PATIENCE, || times.load(Relaxed) > before);
        }
        wait_until("an empty queue", PATIENCE, || {
            value::<i64>(client, "select count(*) from net.http_request_queue") == 0
        });
        sent.store(true, Relaxed);
        operating.join().unwrap();
        let times = times.load(Relaxed);
        assert!(times > 3, "{command} ran {times} times");
    });
    // At least once, and no more than that: no outcome was in doubt.
    assert_eq!(fixture.receiver.count(), REQUESTS, "{command}");
}

#[test]
fn vacuum_full_under_load_loses_no_request() {
    for table in ["net.http_request_queue", "net._http_response"] {
        let mut fixture = Fixture::new();
        run_during_requests(&mut fixture, &format!("vacuum full {table}"));
        let answers = responses(&mut fixture.client, REQUESTS);
        assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{table}");
        assert_eq!(answers.len(), REQUESTS, "{table}");
    }
}

#[test]
fn truncating_the_responses_under_load_loses_no_request() {
    let mut fixture = Fixture::new();
    run_during_requests(&mut fixture, "truncate net._http_response");
    fixture.assert_works();
}

#[test]
fn reindex_and_analyze_under_load_lose_no_request() {
    let mut fixture = Fixture::new();
    run_during_requests(
        &mut fixture,
        "reindex table net.http_request_queue; reindex table net._http_response; analyze net.http_request_queue",
    );
    assert_eq!(responses(&mut fixture.client, REQUESTS).len(), REQUESTS);
}

/// The outcomes of deleted rows are dropped; those of the other rows are recorded under their own ids.
#[test]
fn the_outcome_of_a_row_deleted_in_flight_is_dropped() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    fixture.send_times(Call::get(&url).timeout(60_000), 100);
    fixture.receiver.wait_for(100);
    allow_at_most(&mut fixture.client, PROMPTLY);
    fixture.client.batch_execute("delete from net.http_request_queue where id % 2 = 0").unwrap();
    gate.release();
    wait_until("an empty queue", PATIENCE, || fixture.value::<i64>("select count(*) from net.http_request_queue") == 0);
    fixture.assert_works();
    let ids: Vec<_> = responses(&mut fixture.client, 51).iter().map(|answer| answer.id.unwrap()).collect();
    assert!(ids.iter().copied().eq((1..=100).filter(|id| id % 2 == 1).chain([101])), "{ids:?}");
}

/// A truncated queue takes its rows in flight along, and their ids come again.
#[test]
fn ids_that_come_again_after_a_truncation_get_their_own_responses() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let (held, url) = (fixture.receiver.url("/held"), fixture.receiver.url("/echo"));
    fixture.send_times(Call::get(&held).timeout(60_000), 100);
    fixture.receiver.wait_for(100);
    let start = Instant::now();
    fixture.client.batch_execute("truncate net.http_request_queue restart identity").unwrap();
    assert!(start.elapsed() < PROMPTLY);
    fixture
        .client
        .batch_execute(&format!("select net.http_get('{url}?' || n) from generate_series(1, 100) as n"))
        .unwrap();
    gate.release();
    let answers = responses(&mut fixture.client, 100);
    fixture.assert_works();
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 101);
    for (id, answer) in (1..).zip(answers) {
        assert_eq!((answer.id, answer.json()["url"].as_str()), (Some(id), Some(format!("/echo?{id}").as_str())));
    }
}
