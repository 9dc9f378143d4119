//! Many requests at once to servers that others wrote, which let HTTP/2 connections go while requests are on their way.

use std::collections::HashMap;
use std::time::Duration;

use engine::Policy;
use testkit::{Apache, Authority, HaProxy, Nginx, Receiver, StandardServer};

use crate::servers::host::{Host, request};

const REQUESTS: usize = 5000;
const BURST: usize = 500;

/// Sends requests in bursts, every second one at most once. All are answered over HTTP/2, by a server that says which have come.
#[track_caller]
fn all_are_answered(authority: &std::path::Path, method: &str, url: impl Fn(usize) -> String) {
    let host = Host::new(Policy { ca_file: Some(authority.to_owned()), ..Policy::default() });
    for burst in 0..REQUESTS / BURST {
        let requests = (burst * BURST..).take(BURST).map(|number| {
            let body = if method == "POST" { "{}" } else { "" };
            let mut request = request(number as i64, method, &url(number), &[], body);
            if number % 2 == 0 {
                request.send_at_most_once();
            }
            request
        });
        host.submit(requests.collect());
        for outcome in host.wait_for(BURST) {
            let response = outcome.result.unwrap_or_else(|failure| panic!("{}: {failure:?}", outcome.key));
            assert_eq!((response.status, response.trace.version), (200, Some("HTTP/2")));
        }
    }
}

/// Each has come once.
#[track_caller]
fn each_has_come_once(uris: impl IntoIterator<Item = String>) {
    let mut came = HashMap::<String, usize>::new();
    for uri in uris {
        *came.entry(uri).or_default() += 1;
    }
    let more = came.iter().filter(|(_, times)| **times != 1).collect::<Vec<_>>();
    assert_eq!((came.len(), more), (REQUESTS, Vec::new()));
}

fn nginx(directives: &str) {
    let authority = Authority::new();
    let nginx = Nginx::start_showing(&authority.certify_this_host(), directives);
    all_are_answered(&authority.file(), "POST", |number| nginx.tls_url(&format!("/{number}")));
    each_has_come_once(nginx.wait_for(REQUESTS).into_iter().map(|request| request.uri));
}

#[test]
fn case_36_nginx_that_takes_one_request_a_connection() {
    nginx("keepalive_timeout 0;");
}

#[test]
fn case_36_nginx_that_takes_a_hundred_requests_a_connection() {
    nginx("keepalive_requests 100;");
}

#[test]
fn case_36_nginx_with_its_defaults() {
    nginx("keepalive_requests 1000;");
}

/// It goes away from connections that were idle for 10 ms.
#[test]
fn case_36_haproxy() {
    let authority = Authority::new();
    let receiver = Receiver::start();
    let haproxy = HaProxy::start(&authority, receiver.port());
    all_are_answered(&authority.file(), "POST", |number| haproxy.tls_url(&format!("/{number}")));
    each_has_come_once(receiver.requests().into_iter().map(|request| request.path().to_owned()));
}

#[test]
fn case_36_apache() {
    let authority = Authority::new();
    let apache = Apache::start(&authority);
    apache.put("/file", b"x");
    all_are_answered(&authority.file(), "GET", |number| apache.tls_url(&format!("/file?{number}")));
    each_has_come_once(apache.wait_for(REQUESTS).into_iter().map(|request| request.uri));
}

fn standard(authority: &Authority, server: &StandardServer) {
    all_are_answered(&authority.file(), "POST", |number| server.tls_url(&format!("/{number}")));
    each_has_come_once(server.wait_for(REQUESTS).into_iter().map(|request| request.uri));
}

/// It lets a session go after a hundred streams, and refuses every fortieth.
#[test]
fn case_36_node() {
    let authority = Authority::new();
    standard(&authority, &StandardServer::node(&authority, Duration::from_secs(5)));
}

/// It lets a connection go with every hundredth request.
#[test]
fn case_36_go() {
    let authority = Authority::new();
    standard(&authority, &StandardServer::go(&authority, Duration::from_millis(10)));
}
