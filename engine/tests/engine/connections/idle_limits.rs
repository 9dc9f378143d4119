//! POSTs that are sent as servers that are far away close connections which were idle for too long.
//!
//! What a server has closed is known here only a while later: in that time a request that is sent arrives at a closed connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use engine::Policy;
use rustls::{ServerConnection, StreamOwned};
use testkit::{Apache, HaProxy, Nginx, Receiver, StandardServer};

use crate::connections::resent::End;
use crate::servers::certificates;
use crate::servers::far;
use crate::servers::host::{Host, post, request, text};
use crate::servers::server::{Connection, Received, Server, ok};
use crate::tls::trusting;

/// How long the servers keep an idle connection.
const LIMIT: Duration = Duration::from_secs(1);
const POSTS: usize = 200;

/// What is sent as the limit is reached.
#[derive(Clone, Copy)]
struct Sent {
    method: &'static str,
    at_most_once: bool,
    /// When the server closes the connection.
    limit: Duration,
    /// From how long before that until how long after it.
    around: Duration,
}

const POST: Sent = Sent { method: "POST", at_most_once: false, limit: LIMIT, around: Duration::from_millis(20) };

/// How long a server takes over a reply, so that all are on their way at once, each on its own connection.
const SLOW: Duration = Duration::from_millis(400);

/// Opens as many connections, lets them be idle, and sends a POST on each as the server on this port closes it. All are answered.
#[track_caller]
fn all_are_answered(policy: Policy, sent: Sent, scheme: &str, port: u16, path: impl Fn(&str) -> String) {
    let host = Host::new(policy);
    let port = far::away(port);
    let url = |name: &str| format!("{scheme}://localhost:{port}{}", path(name));
    host.get(&url("/slow/1/first"));
    let slow = url(&format!("/slow/{}", SLOW.as_millis()));
    host.submit((0..POSTS).map(|key| request(key as i64, "GET", &slow, &[], "")).collect());
    assert!(host.wait_for(POSTS).into_iter().all(|outcome| outcome.result.unwrap().status == 200));
    // When the request arrives, the server's idle time has lasted for twice the distance longer than it seems.
    let begin = Instant::now() + sent.limit - 2 * far::DISTANCE - sent.around;
    let step = 2 * sent.around / POSTS as u32;
    for number in 0..POSTS {
        sleep((begin + step * number as u32).saturating_duration_since(Instant::now()));
        let mut request = request(number as i64, sent.method, &url(&format!("/post/{number}")), &[], "{}");
        if sent.at_most_once {
            request.send_at_most_once();
        }
        host.submit(vec![request]);
    }
    for outcome in host.wait_for(POSTS) {
        let status = outcome.result.unwrap_or_else(|failure| panic!("{failure:?}")).status;
        assert!(matches!(status, 200 | 201), "{status}");
    }
}

/// Each POST has come once; but those that a server read before it closed the connection may have come twice.
#[track_caller]
fn each_has_come(uris: impl IntoIterator<Item = String>, most: usize) {
    let mut came = HashMap::<String, usize>::new();
    for uri in uris.into_iter().filter(|uri| uri.starts_with("/post/")) {
        *came.entry(uri).or_default() += 1;
    }
    assert_eq!(came.len(), POSTS);
    assert!(came.values().all(|times| (1..=most).contains(times)), "{came:?}");
}

fn ca_file(authority: &testkit::Authority) -> Policy {
    Policy { ca_file: Some(authority.file()), ..Policy::default() }
}

/// It says how long it keeps a connection, keeps it for a second longer, and we do not use it until then: also at most once, none
/// fails.
#[test]
fn case_34_node() {
    let node = StandardServer::node(&testkit::Authority::new(), LIMIT);
    let sent = Sent { at_most_once: true, limit: LIMIT + Duration::from_secs(1), ..POST };
    all_are_answered(Policy::default(), sent, "http", node.ports().0, str::to_owned);
    each_has_come(node.requests().into_iter().map(|request| request.uri), 1);
}

#[test]
fn case_34_go() {
    let go = StandardServer::go(&testkit::Authority::new(), LIMIT);
    all_are_answered(Policy::default(), POST, "http", go.ports().0, str::to_owned);
    each_has_come(go.requests().into_iter().map(|request| request.uri), 1);
}

/// Without TLS, and with it: then a close_notify comes first.
#[test]
fn case_34_nginx() {
    let authority = testkit::Authority::new();
    let receiver = Receiver::start();
    let directives = format!(
        "keepalive_timeout 1s;
         location /slow {{ rewrite ^/slow/(.*) /delay/$1 break; proxy_pass http://127.0.0.1:{}; }}",
        receiver.port()
    );
    let nginx = Nginx::start_http1(&authority.certify_this_host(), &directives);
    all_are_answered(Policy::default(), POST, "http", nginx.ports().0, str::to_owned);
    each_has_come(nginx.wait_for(1 + 2 * POSTS).into_iter().map(|request| request.uri), 1);
    let nginx = Nginx::start_http1(&authority.certify_this_host(), &directives);
    all_are_answered(ca_file(&authority), POST, "https", nginx.ports().1, str::to_owned);
    each_has_come(nginx.wait_for(1 + 2 * POSTS).into_iter().map(|request| request.uri), 1);
}

#[test]
fn case_34_haproxy() {
    let authority = testkit::Authority::new();
    let receiver = Receiver::start();
    let haproxy = HaProxy::start_keeping(&authority, receiver.port(), LIMIT);
    let port = haproxy.ports().0;
    all_are_answered(Policy::default(), POST, "http", port, |path| path.replace("/slow/", "/delay/"));
    each_has_come(receiver.requests().into_iter().map(|request| request.path().to_owned()), 1);
}

/// It looks ten times a second which connections were idle for too long. It answers at once, so that fewer connections are opened:
/// as many as are before the first of them is free.
#[test]
fn case_34_apache() {
    let authority = testkit::Authority::new();
    let apache = Apache::start_with(&authority, "KeepAliveTimeout 1\nMaxKeepAliveRequests 0");
    apache.put("/file", b"x");
    let path = |path: &str| match path.strip_prefix("/post/") {
        Some(number) => format!("/dav/{number}"),
        None => "/file".to_owned(),
    };
    let tenth = Duration::from_millis(100);
    let put = Sent { method: "PUT", limit: LIMIT + tenth / 2, around: tenth / 2, ..POST };
    all_are_answered(Policy::default(), put, "http", apache.ports().0, path);
    let uris = apache.wait_for(1 + 2 * POSTS).into_iter().map(|request| request.uri.replace("/dav/", "/post/"));
    each_has_come(uris, 1);
}

/// Ends a connection that was idle for the limit in a way of its own. It reads what has come until then.
fn closing(end: End) -> Server {
    Server::start(move |connection| {
        connection.stream.set_read_timeout(Some(LIMIT)).unwrap();
        while serve_next(connection) {}
        end.bring_about(connection);
    })
}

fn uri(received: &Received) -> String {
    received.line().split(' ').nth(1).unwrap().to_owned()
}

fn serve_next<S: std::io::Read + std::io::Write>(connection: &mut Connection<S>) -> bool {
    let Some(received) = connection.receive() else { return false };
    if received.line().contains("/slow/4") {
        sleep(SLOW);
    }
    connection.send(ok("ok"));
    true
}

#[test]
fn case_34_a_server_that_ends_connections_in_whatever_way() {
    for end in [End::Fin, End::Rst] {
        let server = closing(end);
        all_are_answered(Policy::default(), POST, "http", server.address().port(), str::to_owned);
        each_has_come(server.requests().iter().map(uri), 2);
    }
}

/// Over HTTP/2 a GOAWAY comes first.
#[test]
fn case_34_over_http_2() {
    const LIMIT: Duration = Duration::from_millis(50);
    let authority = testkit::Authority::new();
    let receiver = Receiver::start();
    let haproxy = HaProxy::start_keeping(&authority, receiver.port(), LIMIT);
    let go = StandardServer::go(&authority, LIMIT);
    let ports = [haproxy.ports().1, go.ports().1].map(far::away);
    scope(|scope| {
        for thread in 0..10 {
            let authority = &authority;
            scope.spawn(move || {
                let host = Host::new(ca_file(authority));
                for number in 0..POSTS / 10 {
                    for port in ports {
                        let url = format!("https://localhost:{port}/post/{thread}/{number}");
                        assert_eq!(text(&host.carry_out(post(&url, "{}")).result.unwrap()), "ok");
                    }
                    sleep(LIMIT - far::DISTANCE + Duration::from_millis(number as u64));
                }
            });
        }
    });
    each_has_come(receiver.requests().into_iter().map(|request| request.path().to_owned()), 1);
    each_has_come(go.requests().into_iter().map(|request| request.uri), 1);
}

#[test]
fn case_34_a_close_notify_at_the_limit() {
    let authority = certificates::Authority::new();
    let config = authority.server("localhost", &[]);
    let server = Server::start(move |connection| {
        connection.stream.set_read_timeout(Some(LIMIT)).unwrap();
        let tls = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut secure = connection.over(|stream| StreamOwned::new(tls, stream));
        while serve_next(&mut secure) {}
        secure.stream.conn.send_close_notify();
        let _ = std::io::Write::flush(&mut secure.stream);
    });
    all_are_answered(
        trusting(&authority),
        Sent { method: "PATCH", ..POST },
        "https",
        server.address().port(),
        str::to_owned,
    );
    each_has_come(server.requests().iter().map(uri), 2);
}
