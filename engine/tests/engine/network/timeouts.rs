use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use engine::{Failure, FailureKind, Phases, Policy};

use crate::servers::host::{Host, PATIENCE, carry_out, with_timeout};
use crate::servers::server::{Server, ok};

/// Short, but long enough for a request to get somewhere on a machine that stalls.
const LIMIT: Duration = Duration::from_millis(400);

fn silent() -> Server {
    Server::start(|connection| connection.wait_for_close())
}

/// The phases of a time-out, checked against each other and the clock.
fn phases_of(request: impl FnOnce() -> Result<engine::Response, Failure>) -> Phases {
    let start = Instant::now();
    let failure = request().unwrap_err();
    let FailureKind::Timeout { limit, phases } = *failure.kind() else { panic!("{failure:?}") };
    assert!(failure.timed_out());
    assert_eq!(limit, LIMIT);
    assert!(phases.total() >= LIMIT && phases.total() <= start.elapsed(), "{phases:?}");
    let total = phases.total().as_millis();
    let text = format!("Timeout of 400 ms reached. Total time: {total}.");
    assert!(failure.to_string().starts_with(&text), "{failure}");
    phases
}

#[test]
fn a_literal_address_needs_no_resolver() {
    let server = silent();
    let phases = phases_of(|| carry_out(with_timeout(&server.url("/"), LIMIT)));
    assert_eq!(phases.dns, Duration::ZERO);
    assert!(phases.handshake >= Duration::from_micros(1), "{phases:?}");
    assert!(phases.exchange >= Duration::from_micros(1), "{phases:?}");
}

#[test]
fn every_phase_that_happened_shows() {
    let server = silent();
    let url = format!("http://localhost:{}/", server.address().port());
    let phases = phases_of(|| carry_out(with_timeout(&url, LIMIT)));
    let shown = [phases.dns, phases.handshake, phases.exchange];
    assert!(shown.iter().all(|phase| *phase >= Duration::from_micros(1)), "{phases:?}");
}

#[test]
fn a_handshake_that_does_not_end_leaves_nothing_for_the_exchange() {
    let server = silent();
    let url = format!("https://{}/", server.address());
    let phases = phases_of(|| carry_out(with_timeout(&url, LIMIT)));
    assert_eq!((phases.dns, phases.exchange), (Duration::ZERO, Duration::ZERO));
}

#[test]
fn a_pooled_connection_has_only_an_exchange() {
    let server = Server::start(|connection| {
        connection.receive();
        connection.send(ok("first"));
        connection.wait_for_close();
    });
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    let phases = phases_of(|| host.carry_out(with_timeout(&server.url("/"), LIMIT)).result);
    assert_eq!((phases.dns, phases.handshake), (Duration::ZERO, Duration::ZERO));
    assert_eq!(server.connections(), 1);
}

#[test]
fn the_body_and_all_hops_are_covered() {
    // Each hop, and each byte of the body, is well within the limit.
    let server = Server::start(|connection| {
        while let Some(request) = connection.receive() {
            if request.line().starts_with("GET /1 ") {
                thread::sleep(LIMIT * 6 / 10);
                connection.send("HTTP/1.1 302 Found\r\nLocation: /2\r\nContent-Length: 0\r\n\r\n");
                continue;
            }
            connection.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
            for _ in 0..100 {
                thread::sleep(LIMIT / 10);
                connection.send("x");
            }
        }
    });
    phases_of(|| carry_out(with_timeout(&server.url("/1"), LIMIT)));
    phases_of(|| carry_out(with_timeout(&server.url("/2"), LIMIT)));
}

#[test]
fn the_connection_is_closed() {
    let (closed, was_closed) = mpsc::channel();
    let server = Server::start(move |connection| {
        connection.receive();
        connection.wait_for_close();
        closed.send(()).unwrap();
    });
    let host = Host::new(Policy::default());
    host.carry_out(with_timeout(&server.url("/"), LIMIT)).result.unwrap_err();
    was_closed.recv_timeout(PATIENCE).unwrap();
}

#[test]
fn the_clock_starts_when_the_request_does() {
    // A request has time for a stall of the machine.
    let limit = Duration::from_secs(2);
    let server = Server::start(move |connection| {
        while connection.receive().is_some() {
            thread::sleep(limit / 5);
            connection.send(ok(""));
        }
    });
    let host = Host::new(Policy { max_in_flight: 1, ..Policy::default() });
    // The last waits for longer than the limit.
    host.submit((0..7).map(|_| with_timeout(&server.url("/"), limit)).collect());
    assert!(host.wait_for(7).iter().all(|outcome| outcome.result.is_ok()));
}
