mod authorities;
mod identity;
mod refused_identity;
mod resumption;

use std::sync::{Arc, Barrier};

use engine::{Failure, FailureKind, Policy, Response};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, get, request, text};
use crate::servers::server::{Server, ok};

pub(crate) fn serving(config: Arc<ServerConfig>) -> Server {
    Server::start(move |connection| {
        let mut secure =
            connection.over(|stream| StreamOwned::new(ServerConnection::new(config.clone()).unwrap(), stream));
        while secure.receive().is_some() {
            secure.send(ok("secure"));
        }
    })
}

pub(crate) fn trusting(authority: &Authority) -> Policy {
    Policy { ca_file: Some(authority.file.clone()), ..Policy::default() }
}

pub(crate) fn url(server: &Server, host: &str) -> String {
    format!("https://{host}:{}/", server.address().port())
}

fn answer(server: &Server, host: &str, policy: Policy) -> Result<Response, Failure> {
    Host::new(policy).carry_out(get(&url(server, host))).result
}

#[test]
fn a_certificate_that_is_trusted_and_names_the_host() {
    let authority = Authority::new();
    for host in ["localhost", "127.0.0.1"] {
        let server = serving(authority.server(host, &["http/1.1"]));
        assert_eq!(text(&answer(&server, host, trusting(&authority)).unwrap()), "secure");
    }
    let without_alpn = serving(authority.server("localhost", &[]));
    assert_eq!(text(&answer(&without_alpn, "localhost", trusting(&authority)).unwrap()), "secure");
}

#[test]
fn a_connection_is_used_again() {
    let authority = Authority::new();
    let server = serving(authority.server("localhost", &[]));
    let host = Host::new(trusting(&authority));
    for _ in 0..3 {
        host.get(&url(&server, "localhost"));
    }
    assert_eq!((server.connections(), server.requests().len()), (1, 3));
}

#[test]
fn a_request_that_met_a_closing_connection_goes_out_on_a_new_one() {
    let authority = Authority::new();
    let config = authority.server("localhost", &[]);
    let two = Barrier::new(2);
    let server = Server::start(move |connection| {
        let tls = ServerConnection::new(config.clone()).unwrap();
        let mut secure = connection.over(|stream| StreamOwned::new(tls, stream));
        secure.receive();
        if connection.number <= 2 {
            two.wait();
        }
        secure.send(ok("secure"));
        secure.receive();
    });
    let host = Host::new(trusting(&authority));
    // Two connections wait in the pool, and the server closes each when it is used again.
    host.submit((0..2).map(|key| request(key, "GET", &url(&server, "localhost"), &[], "")).collect());
    host.wait_for(2);
    host.get(&url(&server, "localhost"));
    assert_eq!(server.connections(), 3);
}

#[test]
fn many_at_once_do_not_wait_for_each_other() {
    let authority = Authority::new();
    let server = serving(authority.server("localhost", &[]));
    let host = Host::new(trusting(&authority));
    host.submit((0..10).map(|key| request(key, "GET", &url(&server, "localhost"), &[], "")).collect());
    assert!(host.wait_for(10).iter().all(|outcome| outcome.result.is_ok()));
    assert_eq!(server.requests().len(), 10);
}

#[test]
fn certificates_that_are_not_accepted() {
    let authority = Authority::new();
    let stranger = Authority::new();
    for (config, reason) in [
        (authority.server("other.example", &[]), "other.example"),
        (authority.expired_server("localhost"), "expired"),
        (stranger.server("localhost", &[]), "unable to get local issuer certificate"),
    ] {
        let server = serving(config);
        let failure = answer(&server, "localhost", trusting(&authority)).unwrap_err();
        assert_eq!(failure.to_string(), "SSL peer certificate or SSH remote key was not OK");
        assert!(failure.detail().unwrap().contains(reason), "{failure:?}");
        assert!(server.requests().is_empty());
    }
}

#[test]
fn handshakes_that_fail_otherwise() {
    let authority = Authority::new();
    let closing = Server::start(|connection| connection.wait_for_bytes());
    let no_tls = Server::start(|connection| connection.send("220 mail.example ESMTP\r\n"));
    let other_protocol = serving(authority.server("localhost", &["imap"]));
    for server in [&closing, &no_tls, &other_protocol] {
        let failure = answer(server, "localhost", trusting(&authority)).unwrap_err();
        assert_eq!(failure.to_string(), "SSL connect error", "{failure:?}");
    }
}

#[test]
fn trust_comes_from_the_policy_of_the_day() {
    let authority = Authority::new();
    let server = serving(authority.server("localhost", &[]));
    let host = Host::new(trusting(&authority));
    host.get(&url(&server, "localhost"));
    // The pooled connection is not used by those who would not have opened it.
    let stranger = Authority::new();
    host.engine.set_policy(trusting(&stranger));
    let failure = host.carry_out(get(&url(&server, "localhost"))).result.unwrap_err();
    assert_eq!(failure.kind(), &FailureKind::Certificate);
    host.engine.set_policy(trusting(&authority));
    host.get(&url(&server, "localhost"));
}

#[test]
fn a_ca_file_that_cannot_be_read_fails_the_request() {
    let authority = Authority::new();
    let server = serving(authority.server("localhost", &[]));
    let missing = Policy { ca_file: Some("/nonexistent/ca.pem".into()), ..Policy::default() };
    let failure = answer(&server, "localhost", missing).unwrap_err();
    assert_eq!(failure.kind(), &FailureKind::Certificate);
    assert!(failure.detail().unwrap().contains("/nonexistent/ca.pem"), "{failure:?}");
}

#[test]
fn a_redirect_from_http_keeps_no_secret() {
    let authority = Authority::new();
    let secure = serving(authority.server("localhost", &[]));
    let location = url(&secure, "localhost");
    let plain = Server::answering(format!("HTTP/1.1 302 Found\r\nLocation: {location}\r\nContent-Length: 0\r\n\r\n"));
    let host = Host::new(trusting(&authority));
    let authorized = request(1, "GET", &plain.url("/"), &[("Authorization", "secret")], "");
    assert_eq!(text(&host.carry_out(authorized).result.unwrap()), "secure");
    assert_eq!(secure.requests()[0].field("authorization"), None);
}

#[test]
fn a_body_that_ends_with_the_connection_needs_a_proper_end() {
    let authority = Authority::new();
    for (polite, expected) in [(true, Ok("all")), (false, Err("Transferred a partial file"))] {
        let config = authority.server("localhost", &[]);
        let server = Server::start(move |connection| {
            let tls = ServerConnection::new(config.clone()).unwrap();
            let mut secure = connection.over(|stream| StreamOwned::new(tls, stream));
            secure.receive();
            secure.send("HTTP/1.1 200 OK\r\n\r\nall");
            if polite {
                secure.stream.conn.send_close_notify();
                secure.send("");
            }
        });
        let result = answer(&server, "localhost", trusting(&authority));
        let result = result.as_ref().map(text).map_err(ToString::to_string);
        assert_eq!(result, expected.map_err(str::to_owned), "{polite}");
    }
}
