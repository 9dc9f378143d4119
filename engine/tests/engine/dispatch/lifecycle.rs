use std::cell::Cell;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};
use std::{fs, thread};

use engine::{Engine, Policy};

use crate::dispatch::limits::braked;
use crate::servers::host::{Host, PATIENCE, eventually, get, with_timeout};
use crate::servers::server::{Server, ok};

#[test]
fn the_host_is_notified_once_until_it_drains() {
    let (server, brake) = braked();
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = calls.clone();
    let engine = Engine::start(Policy::default(), move || _ = counted.fetch_add(1, Ordering::SeqCst)).unwrap();
    let twenty_end = |calls_after: usize| {
        engine.submit((0..20).map(|_| get(&server.url("/"))).collect()).unwrap();
        eventually("all arrive", || brake.waiting() == 20);
        for left in (0..20).rev() {
            brake.release(1);
            eventually("one more has ended", || engine.under_way() == left);
            eventually("the notice of the first", || calls.load(Ordering::SeqCst) >= calls_after);
            assert_eq!(calls.load(Ordering::SeqCst), calls_after, "{left} left");
        }
    };
    let mut outcomes = Vec::new();
    for round in 1..=3 {
        twenty_end(round);
        engine.drain(&mut outcomes);
        assert_eq!(outcomes.drain(..).count(), 20);
    }
    twenty_end(4);
    engine.drain_and_come_again(&mut outcomes);
    assert_eq!(outcomes.drain(..).count(), 20);
    twenty_end(4);
    engine.drain_and_come_again(&mut outcomes);
    assert_eq!(outcomes.drain(..).count(), 20);
    // There was nothing left this time, so it waits for the notice again.
    engine.drain_and_come_again(&mut outcomes);
    assert!(outcomes.is_empty());
    twenty_end(5);
}

#[test]
fn closing_lets_go_on_what_is_under_way_and_drops_the_rest() {
    let (server, brake) = braked();
    let host = Host::new(Policy { max_in_flight: 2, ..Policy::default() });
    host.submit((0..5).map(|_| get(&server.url("/"))).collect());
    eventually("two requests arrive", || brake.waiting() == 2);
    host.engine.close();
    host.submit(vec![get(&server.url("/"))]);
    assert_eq!(host.engine.under_way(), 2);
    brake.release(2);
    let mut outcomes = Vec::new();
    while outcomes.len() < 2 || host.engine.under_way() > 0 {
        outcomes.extend(host.next_batch());
    }
    assert_eq!(outcomes.len(), 2);
    assert_eq!(server.requests().len(), 2);
    assert!(host.engine.is_alive());
}

#[test]
fn stopping_aborts_what_is_under_way() {
    let (closed, was_closed) = mpsc::channel();
    let server = Server::start(move |connection| {
        connection.receive();
        connection.wait_for_close();
        closed.send(()).unwrap();
    });
    let host = Host::new(Policy::default());
    host.submit(vec![get(&server.url("/"))]);
    eventually("the request arrives", || server.requests().len() == 1);
    let start = Instant::now();
    host.engine.stop();
    assert!(start.elapsed() < Duration::from_secs(2));
    was_closed.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn a_dead_engine_gives_requests_back() {
    let server = Server::answering(ok(""));
    let engine = Engine::start(Policy::default(), || panic!("this panic is part of a test")).unwrap();
    assert!(engine.is_alive());
    engine.submit(vec![get(&server.url("/"))]).unwrap();
    eventually("the engine dies", || !engine.is_alive());
    assert_eq!(engine.submit(vec![get(&server.url("/")), get(&server.url("/"))]).unwrap_err().len(), 2);
    engine.stop();
}

/// The thread's voluntary switches: how often it went to sleep, and so how often it woke.
fn sleeps(thread: &str) -> u64 {
    status(thread, "voluntary_ctxt_switches:").parse().unwrap()
}

/// Whether the thread sleeps, and does not just wait for a processor.
fn is_asleep(thread: &str) -> bool {
    status(thread, "State:").starts_with('S')
}

fn status(thread: &str, name: &str) -> String {
    let status = fs::read_to_string(format!("/proc/{thread}/status")).unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

#[test]
fn an_idle_engine_sleeps() {
    let server = Server::start(|connection| {
        while connection.receive().is_some() {
            connection.send(ok(""));
        }
    });
    let (name, named) = mpsc::channel();
    let engine = Engine::start(Policy::default(), move || {
        let thread = fs::read_link("/proc/thread-self").unwrap();
        let _ = name.send(thread.to_str().unwrap().to_owned());
    })
    .unwrap();
    // One that leaves a connection and its timer behind, and one whose own timer must be gone.
    engine.submit(vec![get(&server.url("/")), with_timeout(&server.url("/"), Duration::from_millis(200))]).unwrap();
    let thread = named.recv_timeout(PATIENCE).unwrap();
    eventually("both are done", || engine.under_way() == 0 && server.requests().len() == 2);
    let last = Cell::new((sleeps(&thread), Instant::now()));
    eventually("it has gone to sleep", || {
        let current = sleeps(&thread);
        if current != last.get().0 || !is_asleep(&thread) {
            last.set((current, Instant::now()));
        }
        last.get().1.elapsed() >= Duration::from_millis(50)
    });
    let (before, _) = last.get();
    // Time itself is what this is about: the timeout of the one that is done would have come.
    thread::sleep(Duration::from_millis(500));
    assert_eq!(sleeps(&thread), before);
    engine.submit(vec![get(&server.url("/"))]).unwrap();
    eventually("it woke", || sleeps(&thread) > before);
}

#[test]
fn an_engine_without_work_starts_and_stops() {
    let engine = Engine::start(Policy::default(), || {}).unwrap();
    let mut outcomes = Vec::new();
    engine.drain(&mut outcomes);
    assert!(outcomes.is_empty() && engine.under_way() == 0 && engine.is_alive());
    assert!(format!("{engine:?}").contains("alive: true"));
}
