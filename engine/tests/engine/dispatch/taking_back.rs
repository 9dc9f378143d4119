//! Requests that were handed over and have not started.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};

use engine::{Engine, Key, Policy, Request};

use crate::dispatch::limits::braked;
use crate::servers::host::{eventually, request};
use crate::servers::server::{Server, ok};

fn numbered(key: Key, url: &str) -> Request {
    request(key, "GET", url, &[], "")
}

fn two_at_a_time() -> Policy {
    Policy { max_in_flight_per_origin: 2, ..Policy::default() }
}

/// The keys of the outcomes that come until nothing is under way, sorted.
fn outcomes(engine: &Engine) -> Vec<Key> {
    let mut outcomes = Vec::new();
    eventually("all have ended", || engine.under_way() == 0);
    engine.drain(&mut outcomes);
    let mut keys: Vec<_> = outcomes.iter().map(|outcome| outcome.key).collect();
    keys.sort_unstable();
    keys
}

#[test]
fn what_waits_is_taken_back_and_what_is_under_way_is_not() {
    let (server, brake) = braked();
    let engine = Engine::start(two_at_a_time(), || ()).unwrap();
    engine.submit((1..=6).map(|key| numbered(key, &server.url("/"))).collect()).unwrap();
    eventually("two arrive", || brake.waiting() == 2);
    let mut back = engine.take_back(vec![6, 1, 4, 99, 3]);
    back.sort_unstable();
    assert_eq!(back, [3, 4, 6]);
    assert!(engine.take_back(vec![3, 4, 6]).is_empty(), "a second time");
    brake.release(10);
    eventually("the fifth has come in its turn", || server.requests().len() == 3);
    assert_eq!(outcomes(&engine), [1, 2, 5]);
}

#[test]
fn all_that_waits_is_taken_back_at_once() {
    let (server, brake) = braked();
    let engine = Engine::start(two_at_a_time(), || ()).unwrap();
    engine.submit((1..=1000).map(|key| numbered(key, &server.url("/"))).collect()).unwrap();
    eventually("two arrive", || brake.waiting() == 2);
    assert_eq!(engine.take_all_back().len(), 998);
    brake.release(10);
    assert_eq!(outcomes(&engine), [1, 2]);
    assert_eq!(server.requests().len(), 2);
}

/// Where bodies take up all memory that there is, one reply at a time is read.
#[test]
fn the_memory_of_what_was_taken_back_is_free_again() {
    let (server, brake) = braked();
    let other = Server::start(|connection| {
        let path = connection.receive().expect("a request").line().to_owned();
        if path.contains("/half") {
            connection.send(format!("HTTP/1.1 200 OK\r\nContent-Length: 200000\r\n\r\n{}", "x".repeat(100_000)));
            connection.wait_for_close();
        } else {
            connection.send(ok(&"x".repeat(100_000)));
        }
    });
    let policy = Policy { max_in_flight_per_origin: 2, max_in_flight_bytes: 1 << 20, ..Policy::default() };
    let engine = Engine::start(policy, || ()).unwrap();
    engine.submit((1..=2).map(|key| numbered(key, &server.url("/"))).collect()).unwrap();
    eventually("two arrive", || brake.waiting() == 2);
    let body = "x".repeat(300 << 10);
    engine.submit((3..=6).map(|key| request(key, "POST", &server.url("/"), &[], &body)).collect()).unwrap();
    assert_eq!(engine.take_all_back().len(), 4);
    engine.submit(vec![numbered(7, &other.url("/half"))]).unwrap();
    eventually("a reply that takes its time", || other.requests().len() == 1);
    engine.submit(vec![numbered(8, &other.url("/whole"))]).unwrap();
    eventually("the other one", || {
        let mut ended = Vec::new();
        engine.drain(&mut ended);
        ended.iter().any(|outcome| outcome.key == 8 && outcome.result.is_ok())
    });
}

/// Starts nothing while the host says no, and goes on when told that it may say yes.
#[test]
fn the_host_has_a_say_before_each_start() {
    let (server, brake) = braked();
    brake.release(100);
    let (open, asked) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let (seen, counted) = (open.clone(), asked.clone());
    let may_start = move || {
        counted.fetch_add(1, SeqCst);
        seen.load(SeqCst)
    };
    let engine = Engine::start_if(Policy::default(), may_start, || ()).unwrap();
    engine.submit((1..=3).map(|key| numbered(key, &server.url("/"))).collect()).unwrap();
    eventually("it has asked", || asked.load(SeqCst) > 0);
    assert_eq!(engine.take_back(vec![2]), [2]);
    assert_eq!((engine.under_way(), server.requests().len()), (0, 0));
    open.store(true, SeqCst);
    engine.ask_again();
    eventually("the others arrive", || server.requests().len() == 2);
    assert_eq!(outcomes(&engine), [1, 3]);
}

#[test]
fn a_host_that_says_no_can_have_those_started_that_wait_now() {
    let (server, brake) = braked();
    brake.release(100);
    let engine = Engine::start_if(Policy::default(), || false, || ()).unwrap();
    engine.submit((1..=3).map(|key| numbered(key, &server.url("/"))).collect()).unwrap();
    engine.start_now();
    assert!(engine.take_all_back().is_empty(), "they have started when the call returns");
    engine.submit(vec![numbered(4, &server.url("/"))]).unwrap();
    assert_eq!(outcomes(&engine), [1, 2, 3]);
    assert_eq!(engine.take_all_back(), [4]);
}
