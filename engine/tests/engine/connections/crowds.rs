//! Many requests to one origin at once: which of them have a connection opened, and which wait for one.

use std::time::Duration;

use engine::Policy;

use crate::dispatch::limits::{braked, requests};
use crate::servers::host::{Host, eventually};
use crate::servers::server::{Server, ok};

/// Connections to an origin that are opened without waiting, and how long the others wait before they have one opened.
const AT_ONCE: usize = 32;
const PATIENCE: Duration = Duration::from_millis(20);

#[test]
fn where_nothing_is_answered_each_gets_a_connection_after_a_while() {
    const COUNT: usize = AT_ONCE + 20;
    let (server, brake) = braked();
    let host = Host::new(Policy::default());
    host.submit(requests(&server, 0..COUNT as i64));
    eventually("all requests arrive", || brake.waiting() == COUNT);
    assert_eq!(server.connections(), COUNT);
    brake.release(COUNT);
    let outcomes = host.wait_for(COUNT);
    let waited = |phases: engine::Phases| phases.handshake >= PATIENCE;
    let late = outcomes.iter().filter(|outcome| waited(outcome.trace().unwrap().phases)).count();
    assert!(late >= COUNT - AT_ONCE, "{late}");
    assert!(outcomes.iter().all(|outcome| outcome.result.is_ok()));
}

#[test]
fn where_none_is_kept_each_gets_one_of_its_own() {
    const COUNT: usize = 500;
    let server = Server::answering_once("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    let host = Host::new(Policy::default());
    host.submit(requests(&server, 0..COUNT as i64));
    assert!(host.wait_for(COUNT).iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!((server.connections(), server.requests().len()), (COUNT, COUNT));
}

#[test]
fn a_crowd_has_no_more_connections_than_may_be_in_flight() {
    const COUNT: usize = 500;
    let server = Server::answering(ok("x"));
    let policy = Policy { max_in_flight_per_origin: 200, ..Policy::default() };
    let most = policy.max_in_flight_per_origin;
    let host = Host::new(policy);
    host.submit(requests(&server, 0..COUNT as i64));
    assert!(host.wait_for(COUNT).iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(server.requests().len(), COUNT);
    assert!((AT_ONCE..=most).contains(&server.connections()), "{}", server.connections());
}
