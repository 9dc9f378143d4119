//! Origins that cannot be reached, and those that ask to be left alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::{Engine, Key, Outcome, Policy, Request, Standing, Target};

use crate::host::{Host, eventually, get, request, with_timeout};
use crate::refused::Refused;
use crate::server::{Server, ok};

const FAILURES: u32 = 3;

fn host() -> Host {
    Host::new(Policy { breaker_failures: FAILURES, ..Policy::default() })
}

fn timed(key: Key, url: &str, milliseconds: u64) -> Request {
    Request::new(key, "GET", Target::parse(url).unwrap(), Bytes::new(), Duration::from_millis(milliseconds)).unwrap()
}

/// What a host has heard of the only origin that there was something to say about.
fn standing(engine: &Engine) -> Option<Standing> {
    engine.take_news().states.last().map(|state| state.standing)
}

fn kind(outcome: &Outcome) -> &'static str {
    outcome.result.as_ref().unwrap_err().kind().name()
}

/// Answers nothing until told to.
fn silent_at_first() -> (Server, Arc<AtomicBool>) {
    let answers = Arc::new(AtomicBool::new(false));
    let told = answers.clone();
    let server = Server::start(move |connection| {
        while connection.receive().is_some() {
            if !told.load(Ordering::SeqCst) {
                return connection.wait_for_close();
            }
            connection.send(ok(""));
        }
    });
    (server, answers)
}

#[test]
fn an_origin_that_does_not_answer_is_probed_until_it_does() {
    let (server, answers) = silent_at_first();
    let host = host();
    for _ in 0..FAILURES {
        let outcome = host.carry_out(with_timeout(&server.url("/"), Duration::from_millis(50)));
        assert_eq!(kind(&outcome), "timeout");
    }
    let state = host.engine.take_news().states.pop().unwrap();
    assert_eq!((state.standing, state.failures, state.last_failure), (Standing::Probed, FAILURES, Some("timeout")));
    assert!(state.next_probe.is_some());
    assert_eq!(format!("{}/", state.origin), server.url("/"));

    let arrived = server.requests().len();
    host.submit((0..30).map(|key| timed(key, &server.url("/"), 400)).collect());
    let outcomes = host.wait_for(30);
    let probes = server.requests().len() - arrived;
    assert!((1..=3).contains(&probes), "{probes} of 30 were sent");
    let sent = outcomes.iter().filter(|outcome| kind(outcome) == "timeout").count();
    assert_eq!(sent, probes, "each of the others is told that it got a probe's failure");
    let told = outcomes.iter().filter(|outcome| kind(outcome) == "probe_timeout").collect::<Vec<_>>();
    assert_eq!(told.len(), 30 - probes);
    for outcome in told {
        assert!(outcome.elapsed >= Duration::from_millis(400), "{:?}", outcome.elapsed);
        let failure = outcome.result.as_ref().unwrap_err();
        assert!(failure.timed_out() && failure.to_string().starts_with("Timeout of 400 ms reached."), "{failure}");
    }

    answers.store(true, Ordering::SeqCst);
    host.submit((0..30).map(|key| timed(key, &server.url("/"), 5000)).collect());
    assert!(host.wait_for(30).iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(standing(&host.engine), Some(Standing::Open));
}

#[test]
fn an_origin_that_refuses_holds_up_no_other() {
    let refused = Refused::take();
    let dead = refused.url("/");
    let good = Server::answering(ok(""));
    let host = Host::new(Policy { breaker_failures: FAILURES, max_in_flight: 2, ..Policy::default() });
    for _ in 0..FAILURES {
        assert_eq!(kind(&host.carry_out(get(&dead))), "connect");
    }
    let start = Instant::now();
    host.submit((0..50).map(|key| timed(key, &dead, 1000)).collect());
    host.submit((50..100).map(|key| timed(key, &good.url("/"), 5000)).collect());
    let outcomes = host.wait_for(100);
    let place = |key| outcomes.iter().position(|outcome| outcome.key == key).unwrap();
    assert!((50..100).all(|key| place(key) < 60), "the good ones come first");
    let elapsed = start.elapsed();
    for outcome in &outcomes {
        let expected = if outcome.key < 50 { Err(()) } else { Ok(()) };
        assert_eq!(outcome.result.as_ref().map(|_| ()).map_err(|_| ()), expected, "{outcome:?}");
    }
    assert!(elapsed >= Duration::from_millis(1000), "{elapsed:?}");
    let told =
        outcomes.iter().filter(|outcome| outcome.key < 50 && kind(outcome) == "probe_connect").collect::<Vec<_>>();
    assert!(told.len() >= 45, "{} of 50", told.len());
    assert!(
        told.iter().all(|outcome| outcome.result.as_ref().unwrap_err().to_string() == "Couldn't connect to server")
    );
}

#[test]
fn a_reply_in_between_starts_the_count_anew() {
    let server = Server::start(|connection| {
        while let Some(request) = connection.receive() {
            if request.line().starts_with("GET /hang ") {
                return connection.wait_for_close();
            }
            connection.send(ok(""));
        }
    });
    let host = host();
    for round in 0..3 {
        for _ in 1..FAILURES {
            let outcome = host.carry_out(with_timeout(&server.url("/hang"), Duration::from_millis(30)));
            assert_eq!(kind(&outcome), "timeout", "{round}");
        }
        host.get(&server.url("/"));
    }
    assert!(host.engine.take_news().states.iter().all(|state| state.standing == Standing::Open));
}

/// Asks to be left alone for a second, the first time.
fn busy_at_first(status: &'static str, wait: &'static str) -> Server {
    Server::start(move |connection| {
        let busy = format!("HTTP/1.1 {status} Busy\r\nRetry-After: {wait}\r\nContent-Length: 0\r\n\r\n");
        while let Some(request) = connection.receive() {
            connection.send(if request.line().starts_with("GET /busy ") { busy.clone() } else { ok("") });
        }
    })
}

#[test]
fn retry_after_holds_back_the_origin_and_sends_back_what_waits() {
    for status in ["429", "503"] {
        let server = busy_at_first(status, "1");
        let other = Server::answering(ok(""));
        let host = host();
        let held = Instant::now();
        assert_eq!(host.get(&server.url("/busy")).status.to_string(), status);
        host.submit((0..20).map(|key| request(key, "GET", &server.url("/"), &[], "")).collect());
        let mut mine = request(20, "GET", &server.url("/mine"), &[], "");
        mine.stay();
        host.submit(vec![mine]);
        host.get(&other.url("/"));
        eventually("the news come", || host.engine.take_news().sent_back == (0..20).collect::<Vec<_>>());
        assert_eq!(server.requests().len(), 1, "nothing else was sent");

        // The one that could not go back goes out by itself when the time has come.
        let outcome = host.wait_for(1).remove(0);
        assert_eq!((outcome.key, outcome.result.unwrap().status), (20, 200));
        assert!(held.elapsed() >= Duration::from_secs(1));
        eventually("it is open", || standing(&host.engine) == Some(Standing::Open));
        host.submit((0..20).map(|key| request(key, "GET", &server.url("/"), &[], "")).collect());
        assert!(host.wait_for(20).iter().all(|outcome| outcome.result.is_ok()));
    }
}

#[test]
fn other_replies_and_longer_waits_than_allowed_hold_nobody_back_for_long() {
    let host = Host::new(Policy::default());
    for status in ["200", "301", "408", "500"] {
        let server = busy_at_first(status, "3600");
        host.get(&server.url("/busy"));
        host.get(&server.url("/"));
    }
    let retry = engine::RetryPolicy { retry_after_max: Duration::from_millis(300), ..Default::default() };
    let host = Host::new(Policy { retry, ..Policy::default() });
    let server = busy_at_first("503", "3600");
    // The hold begins before the reply is here.
    let start = Instant::now();
    host.get(&server.url("/busy"));
    let mut waiting = get(&server.url("/"));
    waiting.stay();
    assert_eq!(host.carry_out(waiting).result.unwrap().status, 200);
    assert!((300..5000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
}
