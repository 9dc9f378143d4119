//! Certificates of servers: the bad ones, and what is said about them.

use testkit::{Authority, Identity, Nginx};

use super::trusting;
use crate::fixture::Fixture;

const NOT_OK: &str = "SSL peer certificate or SSH remote key was not OK";

#[test]
fn the_failure_says_what_is_wrong_with_a_certificate() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    for (identity, reason) in [
        (authority.certify_until_2001("localhost"), "expired"),
        (authority.certify("other.example"), "other.example"),
        (Identity::self_signed("localhost"), "self-signed certificate"),
        (stranger.certify("localhost"), "unable to get local issuer certificate"),
    ] {
        let nginx = Nginx::start_showing(&identity, "");
        let answer = fixture.get_url(&nginx.tls_url("/"));
        answer.assert_failure(NOT_OK);
        let (kind, detail) = fixture.cause(&answer);
        assert_eq!(kind, "certificate");
        assert!(detail.contains(reason), "{detail}");
        assert_eq!(nginx.requests(), []);
    }
}

#[test]
fn old_versions_of_tls_are_not_spoken() {
    let authority = Authority::new();
    let identity = authority.certify("localhost");
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    for (version, status) in [("TLSv1.1", None), ("TLSv1.2", Some(200)), ("TLSv1.3", Some(200))] {
        // At this level OpenSSL still speaks what is refused otherwise.
        let directives = format!("ssl_protocols {version}; ssl_ciphers DEFAULT@SECLEVEL=0;");
        let nginx = Nginx::start_showing(&identity, &directives);
        let answer = fixture.get_url(&nginx.tls_url("/"));
        assert_eq!(answer.status_code, status, "{version}");
        if status.is_none() {
            answer.assert_failure("SSL connect error");
            assert_eq!(fixture.cause(&answer).0, "tls_handshake");
            assert_eq!(nginx.requests(), []);
        }
    }
}

#[test]
fn the_hosts_of_a_setting_are_not_verified_and_no_others() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let mut fixture =
        Fixture::with(trusting(&authority).conf("pg_net.tls_unverified_hosts", "localhost").start_ready());
    let nginx = Nginx::start_showing(&stranger.certify_until_2001("other.example"), "");
    assert_eq!(fixture.get_url(&nginx.tls_url("/")).status_code, Some(200));
    fixture.get_url(&nginx.tls_url("/").replace("localhost", "127.0.0.1")).assert_failure(NOT_OK);
    assert_eq!(nginx.wait_for(1).len(), 1);
}
