use std::net::SocketAddr;
use std::path::PathBuf;
use std::{fs, process};

use engine::{Failure, FailureKind, NoProxy, Policy, Proxy};

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, get, post, request, text};
use crate::servers::proxy::{Manner, ProxyServer};
use crate::servers::refused::Refused;
use crate::servers::server::{Server, ok};
use crate::tls::{serving, trusting, url};

const USER: &str = "us%40er:hunter2";
/// The same as `Proxy-Authorization`.
const FIELD: &str = "Proxy-Authorization: Basic dXNAZXI6aHVudGVyMg==";

fn through(scheme: &str, user: &str, address: SocketAddr) -> Policy {
    let port = address.port();
    let text = match user {
        "" => format!("{scheme}://localhost:{port}"),
        user => format!("{scheme}://{user}@localhost:{port}"),
    };
    Policy { proxy: Some(Proxy::parse(&text).unwrap()), ..Policy::default() }
}

fn failure(policy: Policy, url: &str) -> Failure {
    let failure = Host::new(policy).carry_out(get(url)).result.unwrap_err();
    assert!(!format!("{failure:?} {failure}").contains("hunter2"), "{failure:?}");
    failure
}

#[test]
fn plain_requests_are_forwarded_and_connections_kept() {
    for credentials in [None, Some(FIELD)] {
        let proxy = ProxyServer::start(Manner { credentials, ..Manner::default() });
        let user = if credentials.is_some() { USER } else { "" };
        let host = Host::new(through("http", user, proxy.address));
        for _ in 0..2 {
            let outcome = host.carry_out(get("http://user:other@server.example:81/a?b=c#d"));
            assert_eq!(outcome.trace().unwrap().remote, Some(proxy.address));
            assert_eq!(text(&outcome.result.unwrap()), "forwarded");
        }
        let [first, _] = &proxy.log()[..] else { panic!("{:?}", proxy.log()) };
        assert!(first.starts_with("GET http://server.example:81/a?b=c HTTP/1.1\r\n"), "{first}");
        assert!(first.to_lowercase().contains("\r\nhost: server.example:81\r\n"), "{first}");
        assert_eq!(first.to_lowercase().contains("proxy-authorization"), credentials.is_some(), "{first}");
    }
}

#[test]
fn a_refusal_to_forward_is_the_reply() {
    let proxy = ProxyServer::start(Manner { credentials: Some(FIELD), ..Manner::default() });
    let host = Host::new(through("http", "", proxy.address));
    assert_eq!(host.get("http://server.example/").status, 407);
}

#[test]
fn https_goes_through_a_tunnel() {
    let authority = Authority::new();
    for (scheme, credentials) in [("http", None), ("http", Some(FIELD)), ("https", Some(FIELD))] {
        let tls = (scheme == "https").then(|| authority.server("localhost", &["http/1.1"]));
        let proxy = ProxyServer::start(Manner { tls, credentials, ..Manner::default() });
        let server = serving(authority.server("localhost", &[]));
        let policy = through(scheme, if credentials.is_some() { USER } else { "" }, proxy.address);
        let host = Host::new(Policy { ca_file: trusting(&authority).ca_file, ..policy });
        for _ in 0..2 {
            assert_eq!(text(&host.carry_out(post(&url(&server, "localhost"), "{}")).result.unwrap()), "secure");
        }
        assert_eq!((server.connections(), proxy.log().len()), (1, 1));
        assert!(proxy.log()[0].starts_with(&format!("CONNECT localhost:{} HTTP/1.1\r\n", server.address().port())));
        for received in server.requests() {
            assert_eq!(received.field("proxy-authorization"), None);
            assert!(received.line().starts_with("POST / "), "{received:?}");
        }
    }
}

#[test]
fn an_https_proxy_forwards_plain_requests_too() {
    let authority = Authority::new();
    let proxy = ProxyServer::start(Manner { tls: Some(authority.server("localhost", &[])), ..Manner::default() });
    let policy = through("https", "", proxy.address);
    let host = Host::new(Policy { ca_file: trusting(&authority).ca_file, ..policy.clone() });
    assert_eq!(text(&host.get("http://server.example/")), "forwarded");
    let unknown = failure(policy, "http://server.example/");
    assert_eq!(unknown.kind(), &FailureKind::Certificate);
    assert!(unknown.detail().unwrap().starts_with("the proxy: "), "{unknown:?}");
}

#[test]
fn a_tunnel_that_is_refused() {
    for (refusal, detail) in [
        ("HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", "status 403"),
        ("HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "status 407"),
        ("HTTP/1.1 200 OK\r\nVia", "breaks off"),
        ("SSH-2.0-OpenSSH\r\n\r\n", "not HTTP"),
        ("HTTP/1.1 2x0 OK\r\n\r\n", "not HTTP"),
        ("", "breaks off"),
    ] {
        let proxy = ProxyServer::start(Manner { refusal: Some(refusal.as_bytes()), ..Manner::default() });
        let failure = failure(through("http", USER, proxy.address), "https://localhost:1/");
        assert_eq!((failure.to_string().as_str(), failure.kind().name()), ("proxy handshake error", "proxy"));
        assert!(failure.detail().unwrap().contains(detail), "{failure:?}");
    }
}

#[test]
fn socks_is_told_an_address_or_a_name() {
    let authority = Authority::new();
    let plain = Server::answering(ok("plain"));
    let secure = serving(authority.server("localhost", &[]));
    for (scheme, credentials, told) in
        [("socks5", None, "127.0.0.1"), ("socks5h", None, "localhost"), ("socks5h", Some("us@er:hunter2"), "localhost")]
    {
        let proxy = ProxyServer::start(Manner { credentials, ..Manner::default() });
        let policy = through(scheme, USER, proxy.address);
        let host = Host::new(Policy { ca_file: trusting(&authority).ca_file, ..policy });
        let port = plain.address().port();
        assert_eq!(text(&host.get(&format!("http://localhost:{port}/"))), "plain");
        assert_eq!(text(&host.get(&url(&secure, "localhost"))), "secure");
        assert_eq!(text(&host.get(&plain.url("/"))), "plain");
        let secure_port = secure.address().port();
        let log = proxy.log();
        let expected = [format!("{told}:{port}"), format!("{told}:{secure_port}"), format!("127.0.0.1:{port}")];
        assert_eq!(log[..], expected);
    }
    assert!(plain.requests().iter().all(|received| received.line() == "GET / HTTP/1.1"));
}

#[test]
fn socks_that_is_refused() {
    let manner = |credentials, refusal| Manner { credentials, refusal, ..Manner::default() };
    for (user, manner, detail) in [
        ("", manner(None, Some(b"\x05\x02\x00\x01")), "not allowed by its rules"),
        ("", manner(None, Some(b"\x05\x05\x00\x01")), "connection refused"),
        ("", manner(None, Some(b"\x04\x00\x00\x01")), "does not speak SOCKS 5"),
        ("", manner(None, Some(b"\x05\x00\x00\x09")), "does not speak SOCKS 5"),
        ("", manner(None, Some(b"\x05")), "early eof"),
        ("", manner(Some("us@er:hunter2"), None), "another kind of authentication"),
        ("us%40er:hunter22", manner(Some("us@er:hunter2"), None), "does not accept user name and password"),
    ] {
        let proxy = ProxyServer::start(manner);
        let failure = failure(through("socks5h", user, proxy.address), "http://server.example/");
        assert_eq!(failure.kind(), &FailureKind::Proxy);
        assert!(failure.detail().unwrap().contains(detail), "{failure:?}");
    }
}

#[test]
fn a_proxy_that_is_not_there() {
    let closed = Refused::take();
    let refused = failure(through("http", USER, closed.address()), "http://server.example/");
    assert_eq!(refused.kind(), &FailureKind::Connect);
    assert!(refused.detail().unwrap().starts_with("the proxy: "), "{refused:?}");
    // Too long for the system to ask a name server about it.
    let proxy = Proxy::parse(&format!("http://{}.example", "a".repeat(300))).unwrap();
    let unresolved = failure(Policy { proxy: Some(proxy), ..Policy::default() }, "http://server.example/");
    assert_eq!(unresolved.to_string(), "Couldn't resolve proxy name");
}

#[test]
fn some_are_reached_without_it() {
    let proxy = ProxyServer::start(Manner::default());
    let server = Server::answering(ok("direct"));
    let policy = through("http", "", proxy.address);
    let no_proxy = NoProxy::parse(&format!("127.0.0.0/8:{}, .example", server.address().port())).unwrap();
    let host = Host::new(Policy { no_proxy, ..policy.clone() });
    assert_eq!(text(&host.get(&server.url("/"))), "direct");
    assert_eq!(text(&host.get("http://127.0.0.1:1/")), "forwarded");
    // With the policy the way changes, also where a connection waits.
    host.engine.set_policy(policy);
    assert_eq!(text(&host.get(&server.url("/"))), "forwarded");
    host.engine.set_policy(Policy::default());
    assert_eq!(text(&host.get(&server.url("/"))), "direct");
}

#[test]
fn the_users_own_word_to_the_proxy_counts() {
    let proxy = ProxyServer::start(Manner::default());
    let host = Host::new(through("http", USER, proxy.address));
    let own = request(1, "GET", "http://server.example/", &[("Proxy-Authorization", "Bearer mine")], "");
    host.carry_out(own).result.unwrap();
    let log = proxy.log().concat().to_lowercase();
    assert!(log.contains("bearer mine") && !log.contains("basic"), "{log}");
}

#[test]
fn credentials_come_from_a_file_and_are_read_anew_when_the_host_says_so() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("proxy-login-{}", process::id()));
    fs::write(&file, "us@er:hunter2\n").unwrap();
    let proxy = ProxyServer::start(Manner { credentials: Some(FIELD), ..Manner::default() });
    let plain = Proxy::parse(&format!("http://{}", proxy.address)).unwrap();
    let policy = Policy { proxy: Some(plain.with_credentials_file(file.clone())), ..Policy::default() };
    let host = Host::new(policy.clone());
    assert_eq!(policy.unusable_files(), Vec::<String>::new());
    assert_eq!(text(&host.get("http://server.example/")), "forwarded");

    fs::remove_file(&file).unwrap();
    host.engine.reload_files();
    let failure = host.carry_out(get("http://server.example/")).result.unwrap_err();
    assert_eq!(failure.to_string(), "proxy handshake error");
    let named = format!("{}: No such file", file.display());
    assert!(failure.detail().unwrap().starts_with(&named), "{failure:?}");
    let [unusable] = &policy.unusable_files()[..] else { panic!("one file") };
    assert!(unusable.starts_with(&named), "{unusable}");
}
