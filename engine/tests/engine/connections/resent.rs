//! Requests that meet a connection which the server closes just then.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, mpsc};
use std::time::Duration;

use engine::{Outcome, Policy, Proxy, Request};
use rustls::{ServerConnection, StreamOwned};
use socket2::SockRef;

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, PATIENCE, post, request, text};
use crate::servers::proxy::{Manner, ProxyServer};
use crate::servers::server::{Connection, Server, ok};
use crate::tls::trusting;

const METHODS: [&str; 8] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "PURGE"];
const NOTHING: &str = "Server returned nothing (no headers, no data)";

/// How a server ends a connection.
#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Fin,
    Rst,
    /// What some servers say before they close a connection that was idle.
    Data,
}

impl End {
    pub(crate) fn bring_about(self, connection: &mut Connection) {
        match self {
            Self::Fin => connection.stream.shutdown(Shutdown::Both).unwrap(),
            Self::Rst => {
                SockRef::from(&connection.stream).set_linger(Some(Duration::ZERO)).unwrap();
                // It is closed where another one takes its place.
                let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
                connection.stream = TcpStream::connect(elsewhere.local_addr().unwrap()).unwrap();
            }
            Self::Data => connection.send("HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\n\r\n"),
        }
    }
}

/// The first connection answers once and ends on the second request, which it has read; the others do what the test says.
fn ending_on_the_second_request(end: End, others: impl Fn(&mut Connection) + Send + Sync + 'static) -> Server {
    Server::start(move |connection| {
        if connection.number > 1 {
            return others(connection);
        }
        connection.receive();
        connection.send(ok("first"));
        connection.receive();
        end.bring_about(connection);
    })
}

fn answering(connection: &mut Connection) {
    while connection.receive().is_some() {
        connection.send(ok(""));
    }
}

fn message(outcome: Outcome) -> String {
    outcome.result.unwrap_err().to_string()
}

fn at_most_once(mut request: Request) -> Request {
    request.send_at_most_once();
    request
}

#[test]
fn case_34_a_request_of_any_method_is_sent_again_on_a_new_connection() {
    for method in METHODS {
        for end in [End::Fin, End::Rst] {
            let server = ending_on_the_second_request(end, answering);
            let host = Host::new(Policy::default());
            host.get(&server.url("/"));
            let body = if method == "POST" { "{}" } else { "" };
            let outcome = host.carry_out(request(2, method, &server.url("/second"), &[("X", "y")], body));
            assert_eq!(outcome.result.unwrap().status, 200, "{method} {end:?}");
            let requests = server.requests();
            assert_eq!((requests.len(), server.connections()), (3, 2), "{method} {end:?}");
            assert_eq!((&requests[1].head, &requests[1].body), (&requests[2].head, &requests[2].body));
        }
    }
}

#[test]
fn case_34_at_most_once_it_is_not_whatever_the_method() {
    for method in METHODS {
        for (end, failure) in [(End::Fin, NOTHING), (End::Rst, "Failure when receiving data from the peer")] {
            let server = ending_on_the_second_request(end, answering);
            let host = Host::new(Policy::default());
            host.get(&server.url("/"));
            let outcome = host.carry_out(at_most_once(request(2, method, &server.url("/second"), &[], "")));
            assert_eq!(message(outcome), failure, "{method}");
            assert_eq!((server.requests().len(), server.connections()), (2, 1), "{method}");
        }
    }
}

#[test]
fn case_34_it_is_sent_again_once() {
    let server = ending_on_the_second_request(End::Fin, |connection| _ = connection.receive());
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    assert_eq!(message(host.carry_out(post(&server.url("/"), "{}"))), NOTHING);
    assert_eq!((server.requests().len(), server.connections()), (3, 2));
}

/// Nobody can tell whether a server that closes a new connection has processed the request.
#[test]
fn case_34_on_a_new_connection_it_is_not() {
    let server = Server::start(|connection| _ = connection.receive());
    let host = Host::new(Policy::default());
    for count in 1..=3 {
        assert_eq!(message(host.carry_out(post(&server.url("/"), "{}"))), NOTHING);
        assert_eq!((server.requests().len(), server.connections()), (count, count));
    }
}

/// Also where nothing of the reply but an interim one has come.
#[test]
fn case_34_where_a_byte_of_the_reply_has_come_it_is_not() {
    for begun in ["H", "HTTP/1.1 100 Continue\r\n\r\n"] {
        let server = Server::start(move |connection| {
            connection.receive();
            connection.send(ok("first"));
            connection.receive();
            connection.send(begun);
        });
        let host = Host::new(Policy::default());
        host.get(&server.url("/"));
        assert_eq!(message(host.carry_out(post(&server.url("/"), "{}"))), "Transferred a partial file", "{begun}");
        assert_eq!((server.requests().len(), server.connections()), (2, 1));
    }
}

/// Each hop of a redirect has a connection of its own.
#[test]
fn case_34_each_hop_is_sent_again() {
    let target = ending_on_the_second_request(End::Fin, answering);
    let reply = format!("HTTP/1.1 307 Go on\r\nLocation: {}\r\nContent-Length: 0\r\n\r\n", target.url("/end"));
    let redirecting = ending_on_the_second_request(End::Fin, move |connection| {
        connection.receive();
        connection.send(&reply);
    });
    let host = Host::new(Policy::default());
    for server in [&target, &redirecting] {
        host.get(&server.url("/"));
    }
    let outcome = host.carry_out(post(&redirecting.url("/"), "{}"));
    assert_eq!(outcome.trace().unwrap().redirects, 1);
    assert_eq!(outcome.result.unwrap().status, 200);
    assert_eq!((redirecting.requests().len(), target.requests().len()), (3, 3));
}

fn proxied(policy: Policy, scheme: &str, address: SocketAddr) -> Policy {
    Policy { proxy: Some(Proxy::parse(&format!("{scheme}://{address}")).unwrap()), ..policy }
}

#[test]
fn case_34_through_a_proxy() {
    for end in [End::Fin, End::Rst] {
        // The one that forwards requests is what closes, the SOCKS proxy hands on what the server does.
        let forwarding = ending_on_the_second_request(end, answering);
        let server = ending_on_the_second_request(end, answering);
        let socks = ProxyServer::start(Manner::default());
        for (policy, url, received) in [
            (proxied(Policy::default(), "http", forwarding.address()), "http://host.invalid/".to_owned(), &forwarding),
            (proxied(Policy::default(), "socks5h", socks.address), server.url("/"), &server),
        ] {
            let host = Host::new(policy);
            host.get(&url);
            assert_eq!(host.carry_out(post(&url, "{}")).result.unwrap().status, 200, "{end:?}");
            assert_eq!((received.requests().len(), received.connections()), (3, 2), "{end:?}");
        }
    }
}

/// Directly, and through a proxy's tunnel. The connection ends with close_notify, or without.
#[test]
fn case_34_over_tls() {
    let authority = Authority::new();
    for notified in [true, false] {
        for tunneled in [false, true] {
            let config = authority.server("localhost", &[]);
            let server = Server::start(move |connection| {
                let tls = ServerConnection::new(config.clone()).unwrap();
                let number = connection.number;
                let mut secure = connection.over(|stream| StreamOwned::new(tls, stream));
                let mut received = 0;
                while secure.receive().is_some() {
                    received += 1;
                    if (number, received) == (1, 2) {
                        if notified {
                            secure.stream.conn.send_close_notify();
                            secure.stream.flush().unwrap();
                        }
                        return;
                    }
                    secure.send(ok("x"));
                }
            });
            let proxy = tunneled.then(|| ProxyServer::start(Manner::default()));
            let policy = trusting(&authority);
            let policy = match &proxy {
                Some(proxy) => proxied(policy, "http", proxy.address),
                None => policy,
            };
            let host = Host::new(policy);
            let url = crate::tls::url(&server, "localhost");
            host.get(&url);
            assert_eq!(text(&host.carry_out(post(&url, "{}")).result.unwrap()), "x");
            assert_eq!((server.requests().len(), server.connections()), (3, 2), "{notified} {tunneled}");
        }
    }
}

/// What has come on an idle connection is seen when it is to be used, and not only when the engine's thread has looked at its
/// sockets: it is busy from before the end comes until the request starts. At most once, none is lost.
#[test]
fn case_34_a_connection_that_became_readable_is_not_used() {
    for end in [End::Fin, End::Rst, End::Data] {
        let (go, may_end) = mpsc::channel::<()>();
        let (ended, has_ended) = mpsc::channel();
        let may_end = Mutex::new(may_end);
        let server = Server::start(move |connection| {
            connection.receive();
            connection.send(ok("x"));
            may_end.lock().unwrap().recv_timeout(PATIENCE).unwrap();
            end.bring_about(connection);
            ended.send(()).unwrap();
            if matches!(end, End::Data) {
                connection.wait_for_close();
            }
        });
        let (host, busy) = Host::busy(Policy::default(), go, has_ended);
        host.get(&server.url("/"));
        for count in 2..=20 {
            busy.store(true, Ordering::SeqCst);
            let outcome = host.carry_out(at_most_once(post(&server.url("/"), "{}")));
            assert_eq!(text(&outcome.result.unwrap()), "x", "{end:?} {count}");
            assert_eq!((server.requests().len(), server.connections()), (count, count), "{end:?}");
        }
    }
}

#[test]
fn case_34_a_close_notify_ends_a_connection() {
    let authority = Authority::new();
    let config = authority.server("localhost", &[]);
    let two = Arc::new(Barrier::new(2));
    let server = Server::start({
        let two = two.clone();
        move |connection| {
            let tls = ServerConnection::new(config.clone()).unwrap();
            let mut secure = connection.over(|stream| StreamOwned::new(tls, stream));
            secure.receive();
            secure.send(ok("x"));
            secure.stream.conn.send_close_notify();
            secure.stream.flush().unwrap();
            two.wait();
            let _ = secure.stream.sock.read(&mut [0; 100]);
        }
    });
    let host = Host::new(trusting(&authority));
    for _ in 0..20 {
        let outcome = host.carry_out(at_most_once(post(&crate::tls::url(&server, "localhost"), "{}")));
        assert_eq!(text(&outcome.result.unwrap()), "x");
        two.wait();
    }
    assert_eq!((server.requests().len(), server.connections()), (20, 20));
}

/// `Keep-Alive: timeout=1` is obeyed with half a second to spare, and a connection without it is kept as long as the policy says.
#[test]
fn case_34_a_hint_of_the_server_is_obeyed() {
    let closed = Arc::new(AtomicUsize::new(0));
    let (close, was_closed) = mpsc::channel();
    let server = Server::start({
        let closed = closed.clone();
        move |connection| {
            let hint = if connection.number == 1 { "Keep-Alive: timeout=1, max=100\r\n" } else { "" };
            connection.receive();
            let answered = std::time::Instant::now();
            connection.send(format!("HTTP/1.1 200 OK\r\n{hint}Content-Length: 0\r\n\r\n"));
            connection.wait_for_close();
            closed.fetch_add(1, Ordering::SeqCst);
            close.send(answered.elapsed()).unwrap();
        }
    });
    let host = Host::new(Policy::default());
    host.get(&server.url("/"));
    let kept = was_closed.recv_timeout(PATIENCE).unwrap();
    assert!(kept >= Duration::from_millis(490) && kept < Duration::from_millis(1000), "{kept:?}");
    host.get(&server.url("/"));
    assert!(was_closed.recv_timeout(Duration::from_millis(1500)).is_err(), "the other is kept");
    assert_eq!((server.connections(), closed.load(Ordering::SeqCst)), (2, 1));
}
