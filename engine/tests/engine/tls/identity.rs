use std::fs;
use std::sync::Arc;

use engine::{ClientIdentity, FailureKind, HostPattern, Policy};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, get, text};
use crate::servers::server::{Server, ok};
use crate::tls::{serving, trusting, url};

/// Answers with the number of certificates that the client showed.
fn counting(config: Arc<ServerConfig>) -> Server {
    Server::start(move |connection| {
        let tls = ServerConnection::new(config.clone()).unwrap();
        let mut secure = connection.over(|stream| StreamOwned::new(tls, stream));
        while secure.receive().is_some() {
            let shown = secure.stream.conn.peer_certificates().map_or(0, <[_]>::len);
            secure.send(ok(&shown.to_string()));
        }
    })
}

fn hosts(patterns: &[&str]) -> Vec<HostPattern> {
    patterns.iter().map(|pattern| HostPattern::parse(pattern).unwrap()).collect()
}

#[test]
fn our_certificate_is_shown_to_the_named_hosts_alone() {
    let authority = Authority::new();
    let (cert_file, key_file) = authority.client("client");
    let identity = ClientIdentity { cert_file, key_file, hosts: hosts(&["localhost", "*.example"]) };
    let host = Host::new(Policy { client_identity: Some(identity), ..trusting(&authority) });
    for (name, shown) in [("localhost", "1"), ("127.0.0.1", "0")] {
        let server = counting(authority.asking_server(name));
        assert_eq!(text(&host.get(&url(&server, name))), shown, "{name}");
    }
}

#[test]
fn a_certificate_of_ours_that_cannot_be_used_fails_the_requests_that_need_it() {
    let authority = Authority::new();
    let (cert_file, key_file) = authority.client("client");
    let (_, other_key) = authority.client("other");
    let missing = "/nonexistent/key.pem";
    let server = counting(authority.asking_server("localhost"));
    let open = counting(authority.asking_server("127.0.0.1"));
    for (cert_file, key_file, named) in [
        (&cert_file, missing.into(), missing.to_owned()),
        (&cert_file, other_key.clone(), other_key.display().to_string()),
        (&key_file, key_file.clone(), "no certificate".to_owned()),
    ] {
        let identity = ClientIdentity { cert_file: cert_file.clone(), key_file, hosts: hosts(&["localhost"]) };
        let host = Host::new(Policy { client_identity: Some(identity), ..trusting(&authority) });
        let failure = host.carry_out(get(&url(&server, "localhost"))).result.unwrap_err();
        assert_eq!(failure.to_string(), "Problem with the local SSL certificate");
        assert!(failure.detail().unwrap().contains(&named), "{failure:?}");
        assert_eq!(text(&host.get(&url(&open, "127.0.0.1"))), "0");
    }
}

#[test]
fn certificates_are_read_anew_when_the_host_says_so() {
    let authority = Authority::new();
    let (cert_file, key_file) = authority.client("client");
    let good = fs::read(&cert_file).unwrap();
    fs::write(&cert_file, "not yet").unwrap();
    let server = counting(authority.asking_server("localhost"));
    let identity = ClientIdentity { cert_file: cert_file.clone(), key_file, hosts: hosts(&["localhost"]) };
    let policy = Policy { client_identity: Some(identity), ..trusting(&authority) };
    let host = Host::new(policy.clone());
    host.carry_out(get(&url(&server, "localhost"))).result.unwrap_err();
    fs::write(&cert_file, good).unwrap();
    assert_eq!(text(&host.get(&url(&server, "localhost"))), "1", "a file that could not be read is tried again");
    fs::remove_file(&cert_file).unwrap();
    host.engine.set_policy(policy);
    assert_eq!(text(&host.get(&url(&server, "localhost"))), "1", "what was read stays, and so does the connection");
    assert_eq!(server.connections(), 2, "that of the first attempt, and the one that is used since");
    host.engine.reload_files();
    let failure = host.carry_out(get(&url(&server, "localhost"))).result.unwrap_err();
    assert_eq!(failure.kind(), &FailureKind::ClientCertificate);
}

#[test]
fn verification_is_off_for_the_named_hosts_alone() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let host = Host::new(Policy { unverified_hosts: hosts(&["localhost"]), ..trusting(&authority) });
    for config in [stranger.server("localhost", &[]), stranger.expired_server("other.example")] {
        let server = serving(config);
        assert_eq!(text(&host.get(&url(&server, "localhost"))), "secure");
        let failure = host.carry_out(get(&url(&server, "127.0.0.1"))).result.unwrap_err();
        assert_eq!((failure.kind(), failure.kind().name()), (&FailureKind::Certificate, "certificate"));
    }
}
