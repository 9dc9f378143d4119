//! Handshakes that resume an earlier session, and those that must not.

use std::sync::{Arc, Mutex};

use engine::{FailureKind, HostPattern, Policy};
use rustls::{HandshakeKind, ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion, version};

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, get, text};
use crate::servers::server::Server;
use crate::tls::{trusting, url};

const FULL: &str = "full";
const RESUMED: &str = "resumed";

/// A server that answers one request on each connection with what kind of handshake there was.
struct Telling {
    server: Server,
    kinds: Arc<Mutex<Vec<&'static str>>>,
}

impl Telling {
    fn start(config: Arc<ServerConfig>) -> Self {
        let kinds = Arc::new(Mutex::new(Vec::new()));
        let told = kinds.clone();
        let server = Server::start(move |connection| {
            let tls = ServerConnection::new(config.clone()).unwrap();
            let mut secure = connection.over(|stream| StreamOwned::new(tls, stream));
            if secure.receive().is_none() {
                return;
            }
            told.lock().unwrap().push(match secure.stream.conn.handshake_kind() {
                Some(HandshakeKind::Resumed) => RESUMED,
                _ => FULL,
            });
            secure.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
            secure.stream.conn.send_close_notify();
            secure.send("");
        });
        Self { server, kinds }
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.kinds.lock().unwrap().clone()
    }
}

fn versions() -> [&'static SupportedProtocolVersion; 2] {
    [&version::TLS12, &version::TLS13]
}

#[test]
fn handshakes_are_resumed() {
    let authority = Authority::new();
    for version in versions() {
        let telling = Telling::start(authority.server_of(version, "localhost", &["http/1.1"]));
        let host = Host::new(trusting(&authority));
        for _ in 0..4 {
            assert_eq!(text(&host.get(&url(&telling.server, "localhost"))), "ok");
        }
        assert_eq!(telling.kinds(), [FULL, RESUMED, RESUMED, RESUMED], "{version:?}");
    }
}

#[test]
fn sessions_are_of_one_name_and_port() {
    let authority = Authority::new();
    let config = authority.server_of(&version::TLS13, "localhost", &[]);
    let (one, another) = (Telling::start(config.clone()), Telling::start(config));
    let host = Host::new(trusting(&authority));
    for telling in [&one, &another] {
        host.get(&url(&telling.server, "localhost"));
    }
    // The certificate is for another name: no session is proof of this one.
    let failure = host.carry_out(get(&url(&one.server, "127.0.0.1"))).result.unwrap_err();
    assert_eq!(failure.kind(), &FailureKind::Certificate);
    assert_eq!((one.kinds(), another.kinds()), (vec![FULL], vec![FULL]));
}

#[test]
fn a_session_with_a_host_that_was_not_verified_is_no_proof_later() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for version in versions() {
        let telling = Telling::start(stranger.server_of(version, "localhost", &[]));
        let hosts = vec![HostPattern::parse("localhost").unwrap()];
        let host = Host::new(Policy { unverified_hosts: hosts, ..trusting(&authority) });
        for _ in 0..2 {
            host.get(&url(&telling.server, "localhost"));
        }
        assert_eq!(telling.kinds(), [FULL, RESUMED]);
        host.engine.set_policy(trusting(&authority));
        let failure = host.carry_out(get(&url(&telling.server, "localhost"))).result.unwrap_err();
        assert_eq!(failure.kind(), &FailureKind::Certificate);
    }
}

#[test]
fn what_was_verified_before_the_files_were_read_anew_is_verified_again() {
    let authority = Authority::new();
    let telling = Telling::start(authority.server_of(&version::TLS13, "localhost", &[]));
    let host = Host::new(trusting(&authority));
    host.get(&url(&telling.server, "localhost"));
    host.engine.reload_files();
    host.get(&url(&telling.server, "localhost"));
    assert_eq!(telling.kinds(), [FULL, FULL]);
}
