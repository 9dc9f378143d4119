use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use engine::Policy;

use crate::servers::host::{Host, PATIENCE, get, post, text};
use crate::servers::server::{Server, ok};

#[test]
fn a_connection_is_used_again() {
    for reply in [
        ok("x"),
        ok(""),
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n".to_owned(),
        "HTTP/1.1 204 No Content\r\n\r\n".to_owned(),
        "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nx".to_owned(),
    ] {
        let server = Server::answering(reply);
        let host = Host::new(Policy::default());
        for _ in 0..5 {
            host.get(&server.url("/"));
        }
        host.carry_out(post(&server.url("/"), "{}")).result.unwrap();
        assert_eq!(server.connections(), 1);
    }
}

#[test]
fn a_connection_that_the_server_wants_closed_is_not() {
    let server = Server::answering("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\nx");
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    host.get(&server.url("/"));
    assert_eq!(server.connections(), 2);
}

#[test]
fn origins_share_no_connection() {
    let server = Server::answering(ok("x"));
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    host.get(&server.url("/").replace("127.0.0.1", "localhost"));
    assert_eq!(server.connections(), 2);
}

#[test]
fn one_closed_while_idle_is_not_used_whatever_the_method() {
    let (close, closed) = mpsc::channel();
    let server = Server::start(move |connection| {
        connection.receive();
        connection.send(ok("x"));
        connection.stream.shutdown(std::net::Shutdown::Both).unwrap();
        close.send(()).unwrap();
    });
    let host = Host::new(Policy::default());
    for _ in 0..5 {
        host.carry_out(post(&server.url("/"), "{}")).result.unwrap();
        closed.recv_timeout(PATIENCE).unwrap();
    }
    assert_eq!(server.connections(), 5);
}

#[test]
fn a_reply_that_has_begun_is_not_asked_for_again() {
    let server = Server::start(|connection| {
        connection.receive();
        connection.send(ok("first"));
        connection.receive();
        connection.send("HTTP/1.1 200 OK\r\nA: ");
    });
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    let failure = host.carry_out(get(&server.url("/"))).result.unwrap_err();
    assert_eq!(failure.to_string(), "Transferred a partial file");
    assert_eq!(server.connections(), 1);
}

#[test]
fn a_server_may_close_idle_connections_at_any_moment() {
    let server = Server::start(|connection| {
        connection.receive();
        connection.send(ok("x"));
        // From before the next request is sent until after it has come.
        thread::sleep(Duration::from_micros(connection.number as u64 % 20 * 20));
    });
    let host = Host::new(Policy::default());
    for at in 0..400 {
        assert_eq!(text(&host.get(&server.url("/"))), "x", "{at}");
    }
    assert!(server.connections() >= 400);
}

#[test]
fn bytes_that_nobody_asked_for_end_the_connection() {
    let (sent, was_sent) = mpsc::channel();
    let (go, gone) = mpsc::channel();
    let gone = Mutex::new(gone);
    let server = Server::start(move |connection| {
        connection.receive();
        connection.send(ok("first"));
        if connection.number == 1 {
            gone.lock().unwrap().recv().unwrap();
            connection.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n");
            sent.send(()).unwrap();
        }
        connection.receive();
    });
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    go.send(()).unwrap();
    was_sent.recv_timeout(PATIENCE).unwrap();
    assert_eq!(text(&host.get(&server.url("/"))), "first");
    assert_eq!(server.connections(), 2);
}

#[test]
fn an_idle_connection_is_closed_in_time() {
    let (closed, was_closed) = mpsc::channel();
    let server = Server::start(move |connection| {
        connection.receive();
        let answering = Instant::now();
        connection.send(ok("x"));
        connection.wait_for_close();
        closed.send(answering.elapsed()).unwrap();
    });
    let idle_timeout = Duration::from_millis(100);
    let host = Host::new(Policy { idle_timeout, ..Policy::default() });
    host.get(&server.url("/"));
    let waited = was_closed.recv_timeout(PATIENCE).unwrap();
    assert!(waited >= idle_timeout && waited < Duration::from_secs(2), "{waited:?}");
}

#[test]
fn a_shorter_idle_timeout_applies_to_what_is_idle() {
    let (closed, was_closed) = mpsc::channel();
    let server = Server::start(move |connection| {
        connection.receive();
        connection.send(ok("x"));
        connection.wait_for_close();
        closed.send(()).unwrap();
    });
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    host.engine.set_policy(Policy { idle_timeout: Duration::from_millis(50), ..Policy::default() });
    was_closed.recv_timeout(PATIENCE).unwrap();
}
