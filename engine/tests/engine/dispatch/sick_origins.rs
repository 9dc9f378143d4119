//! Origins that cannot be reached, and those that ask to be left alone.

use std::io::Write;
use std::ops::Range;
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::{Engine, Failure, Key, OriginHealth, Outcome, Policy, Request, Target};

use crate::servers::host::{Host, eventually, get, request};
use crate::servers::refused::{Full, Refused};
use crate::servers::server::{Server, ok};

const FAILURES: u32 = 3;

fn host() -> Host {
    Host::new(Policy { breaker_failures: FAILURES, ..Policy::default() })
}

fn timed(key: Key, url: &str, milliseconds: u64) -> Request {
    Request::new(key, "GET", Target::parse(url).unwrap(), Bytes::new(), Duration::from_millis(milliseconds)).unwrap()
}

/// What a host has heard of the only origin that there was something to say about.
fn health(engine: &Engine) -> Option<OriginHealth> {
    engine.take_events().states.last().map(|state| state.health)
}

fn kind(outcome: &Outcome) -> &'static str {
    failure(outcome).kind().name()
}

fn failure(outcome: &Outcome) -> &Failure {
    outcome.result.as_ref().unwrap_err()
}

/// What a host has heard of origins that connecting to fails.
fn states(engine: &Engine) -> Vec<(String, OriginHealth, u32, Option<&'static str>)> {
    let states = engine.take_events().states.into_iter();
    states.map(|state| (state.origin.to_string(), state.health, state.failures, state.last_failure)).collect()
}

#[test]
fn an_origin_that_does_not_answer_is_not_sick_and_each_request_arrives() {
    let server = Server::start(|connection| {
        while let Some(request) = connection.receive() {
            if request.line().starts_with("GET /slow ") {
                return connection.wait_for_close();
            }
            connection.send(ok(""));
        }
    });
    let host = host();
    for key in 0..10 {
        assert_eq!(kind(&host.carry_out(timed(key, &server.url("/slow"), 30))), "timeout");
    }
    let path = |key| if key % 2 == 0 { "/slow" } else { "/fast" };
    host.submit((0..100).map(|key| timed(key, &server.url(path(key)), 500)).collect());
    let outcomes = host.wait_for(100);
    assert_eq!(server.requests().len(), 110);
    for outcome in &outcomes {
        assert_eq!(outcome.result.is_ok(), outcome.key % 2 == 1, "{outcome:?}");
        assert_eq!(outcome.trace().unwrap().remote, Some(server.address()));
    }
    assert!(host.engine.take_events().states.is_empty(), "there is nothing to say about it");
}

#[test]
fn an_origin_that_refuses_holds_up_no_other_and_each_request_has_its_own_attempt() {
    let refused = Refused::take();
    let dead = refused.url("/");
    let good = Server::answering(ok(""));
    let host = Host::new(Policy { breaker_failures: FAILURES, max_in_flight: 2, ..Policy::default() });
    for _ in 0..FAILURES {
        assert_eq!(kind(&host.carry_out(get(&dead))), "connect");
    }
    let state = host.engine.take_events().states.pop().unwrap();
    assert_eq!((state.health, state.failures, state.last_failure), (OriginHealth::Probing, FAILURES, Some("connect")));
    assert!(state.failing_since.is_some_and(|since| since < Instant::now()));
    assert_eq!(format!("{}/", state.origin), dead);

    let start = Instant::now();
    host.submit((0..50).map(|key| timed(key, &dead, 1000)).collect());
    host.submit((50..100).map(|key| timed(key, &good.url("/"), 5000)).collect());
    let outcomes = host.wait_for(100);
    let elapsed = start.elapsed();
    for outcome in &outcomes {
        match outcome.key {
            0..50 => {
                assert_eq!(failure(outcome).to_string(), "Couldn't connect to server");
                assert!(failure(outcome).detail().is_some_and(|detail| detail.contains("refused")), "{outcome:?}");
                let phases = outcome.trace().unwrap().phases;
                assert!(!phases.handshake.is_zero() && phases.exchange.is_zero(), "{phases:?}");
            }
            _ => assert_eq!(outcome.result.as_ref().unwrap().status, 200),
        }
    }
    assert_eq!(good.requests().len(), 50);
    // Two milliseconds each, and not the hundreds that they have.
    assert!((98..5000).contains(&elapsed.as_millis()), "{elapsed:?}");
}

#[test]
fn an_origin_that_takes_no_connection_and_a_name_that_leads_nowhere_are_sick() {
    let full = Full::take();
    // The top-level domain is reserved for this (RFC 6761).
    for (url, kind) in [(full.url("/"), "timeout"), ("http://nowhere.invalid/".to_owned(), "resolve")] {
        let host = host();
        host.submit((0..20).map(|key| timed(key, &url, 300)).collect());
        for outcome in host.wait_for(20) {
            assert_eq!(failure(&outcome).kind().name(), kind);
            assert_eq!(outcome.trace().unwrap().remote, None);
        }
        let (origin, standing, failures, last) = states(&host.engine).pop().unwrap();
        assert_eq!((format!("{origin}/"), standing, failures, last), (url, OriginHealth::Probing, 20, Some(kind)));
    }
}

#[test]
fn one_that_does_not_shake_hands_is_sick_and_each_request_tries() {
    const COUNT: usize = 60;
    let server = Server::start(|connection| connection.wait_for_close());
    let url = server.url("/").replace("http:", "https:");
    let host = host();
    host.submit((0..COUNT as Key).map(|key| timed(key, &url, 400)).collect());
    let outcomes = host.wait_for(COUNT);
    assert!(outcomes.iter().all(|outcome| kind(outcome) == "timeout"));
    assert_eq!(server.connections(), COUNT, "nobody only waited for what others try");
    assert_eq!(states(&host.engine).pop().map(|state| state.1), Some(OriginHealth::Probing));
}

#[test]
fn one_that_can_be_connected_to_again_gets_all_that_wait_before_it_has_answered() {
    let refused = Refused::take();
    let url = refused.url("/");
    let host = host();
    for _ in 0..FAILURES {
        assert_eq!(kind(&host.carry_out(get(&url))), "connect");
    }
    assert_eq!(states(&host.engine).pop().map(|state| state.1), Some(OriginHealth::Probing));
    let listener = refused.listen();
    host.submit((0..30).map(|key| timed(key, &url, 5000)).collect());
    // None is answered before all have come.
    let waiting: Vec<_> = (0..30).map(|_| listener.accept().unwrap().0).collect();
    assert_eq!(states(&host.engine).pop().map(|state| state.1), Some(OriginHealth::Healthy));
    for mut stream in waiting {
        stream.write_all(ok("").as_bytes()).unwrap();
    }
    assert!(host.wait_for(30).iter().all(|outcome| outcome.result.is_ok()));
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

/// Requests with attempts left.
fn patient(keys: Range<Key>, url: &str) -> Vec<Request> {
    let patient = |key| {
        let mut request = request(key, "GET", url, &[], "");
        request.set_patient();
        request
    };
    keys.map(patient).collect()
}

#[test]
fn case_42_retry_after_holds_back_what_has_attempts_left_and_nothing_else() {
    for status in ["429", "503"] {
        let server = busy_at_first(status, "1");
        let host = host();
        let held = Instant::now();
        assert_eq!(host.get(&server.url("/busy")).status.to_string(), status);
        host.submit(patient(0..20, &server.url("/patient")));
        // Each has its own answer, also where that is another 429.
        for path in ["/plain", "/busy", "/plain"] {
            let expected = if path == "/busy" { status } else { "200" };
            assert_eq!(host.get(&server.url(path)).status.to_string(), expected);
        }
        eventually("the news come", || host.engine.take_events().sent_back == (0..20).collect::<Vec<_>>());
        host.submit((20..40).map(|key| request(key, "GET", &server.url("/plain"), &[], "")).collect());
        assert!(host.wait_for(20).iter().all(|outcome| outcome.result.as_ref().unwrap().status == 200));
        let lines = server.requests().iter().map(|request| request.line().to_owned()).collect::<Vec<_>>();
        assert_eq!(lines.len(), 4 + 20);
        assert!(lines.iter().all(|line| !line.contains("patient")), "{lines:?}");

        eventually("it is well", || health(&host.engine) == Some(OriginHealth::Healthy));
        assert!(held.elapsed() >= Duration::from_secs(1));
        host.submit(patient(0..20, &server.url("/patient")));
        assert!(host.wait_for(20).iter().all(|outcome| outcome.result.is_ok()));
    }
}

#[test]
fn other_replies_and_longer_waits_than_allowed_hold_nobody_back_for_long() {
    let host = Host::new(Policy::default());
    for status in ["200", "301", "408", "500"] {
        let server = busy_at_first(status, "3600");
        host.get(&server.url("/busy"));
        host.submit(patient(1..2, &server.url("/")));
        assert!(host.wait_for(1)[0].result.is_ok());
    }
    let retry = engine::RetryPolicy { retry_after_max: Duration::from_millis(300), ..Default::default() };
    let host = Host::new(Policy { retry, ..Policy::default() });
    let server = busy_at_first("503", "3600");
    // The hold begins before the reply is here.
    let start = Instant::now();
    host.get(&server.url("/busy"));
    eventually("the hold is over", || health(&host.engine) == Some(OriginHealth::Healthy));
    assert!((300..5000).contains(&start.elapsed().as_millis()), "{:?}", start.elapsed());
    host.submit(patient(1..2, &server.url("/")));
    assert_eq!(host.wait_for(1).remove(0).result.unwrap().status, 200);
}
