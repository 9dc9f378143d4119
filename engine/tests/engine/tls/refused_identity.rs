//! Servers that want a certificate of ours and are not content with what they get, and files that hold none.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use engine::{ClientIdentity, FailureKind, HostPattern, Policy, Proxy, RetryPolicy};
use rustls::{ServerConfig, SupportedProtocolVersion, version};

use crate::servers::certificates::Authority;
use crate::servers::host::{Host, get, request};
use crate::servers::proxy::{Manner, ProxyServer};
use crate::tls::{serving, trusting, url};

fn showing(authority: &Authority, (cert_file, key_file): (PathBuf, PathBuf)) -> Policy {
    let hosts = vec![HostPattern::parse("localhost").unwrap()];
    Policy { client_identity: Some(ClientIdentity { cert_file, key_file, hosts }), ..trusting(authority) }
}

#[test]
fn case_44_a_server_that_refuses_our_certificate_is_not_asked_again() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let asking = |version: &'static SupportedProtocolVersion, protocol| -> Arc<ServerConfig> {
        authority.requiring_server(version, "localhost", &[protocol])
    };
    for (version, protocol) in
        [(&version::TLS13, "http/1.1"), (&version::TLS13, "h2"), (&version::TLS12, "http/1.1"), (&version::TLS12, "h2")]
    {
        for (policy, alert) in [
            (trusting(&authority), "certificate required"),
            (showing(&authority, stranger.client("stranger")), "unknown ca"),
        ] {
            let server = serving(asking(version, protocol));
            let host = Host::new(policy);
            for (key, method, body) in [(1, "GET", String::new()), (2, "POST", "x".repeat(100_000))] {
                let outcome = host.carry_out(request(key, method, &url(&server, "localhost"), &[], &body));
                assert!(!RetryPolicy::is_retryable(&outcome), "{outcome:?}");
                let failure = outcome.result.unwrap_err();
                let context = format!("{version:?} {protocol} {method}: {failure:?}");
                assert_eq!(failure.kind(), &FailureKind::ClientCertificateRefused, "{context}");
                assert_eq!(failure.kind().name(), "client_certificate_refused");
                assert_eq!(failure.to_string(), "SSL Client Certificate required");
                let detail = failure.detail().unwrap();
                assert!(detail.starts_with("the server says: "), "{context}");
                assert!(detail.contains(alert) || detail.contains("handshake failure"), "{context}");
            }
            assert_eq!(server.connections(), 2, "one for each request");
            assert!(server.requests().is_empty());
        }
    }
}

#[test]
fn case_44_a_proxy_that_refuses_our_certificate_is_not_asked_again() {
    let authority = Authority::new();
    for version in [&version::TLS13, &version::TLS12] {
        let tls = Some(authority.requiring_server(version, "localhost", &["http/1.1"]));
        let proxy = ProxyServer::start(Manner { tls, ..Manner::default() });
        let url = Proxy::parse(&format!("https://localhost:{}", proxy.address.port())).unwrap();
        let host = Host::new(Policy { proxy: Some(url), ..trusting(&authority) });
        for target in ["http://example.com/", "https://example.com/"] {
            let outcome = host.carry_out(get(target));
            assert!(!RetryPolicy::is_retryable(&outcome), "{outcome:?}");
            let failure = outcome.result.unwrap_err();
            assert_eq!(failure.kind(), &FailureKind::ClientCertificateRefused, "{version:?} {target}: {failure:?}");
        }
        assert!(proxy.log().is_empty());
    }
}

#[test]
fn case_44_what_is_wrong_with_our_files_is_told() {
    let authority = Authority::new();
    let server = serving(authority.server("localhost", &[]));
    let (certificate, key) = authority.client("client");
    let (_, other_key) = authority.client("other");
    let encrypted = key.with_extension("encrypted");
    let openssl = ["pkcs8", "-topk8", "-v2", "aes256", "-passout", "pass:secret", "-in"];
    let status = Command::new("openssl").args(openssl).arg(&key).arg("-out").arg(&encrypted).status().unwrap();
    assert!(status.success());
    let damaged = key.with_extension("damaged");
    std::fs::write(&damaged, std::fs::read_to_string(&key).unwrap().replacen("MIGH", "MIGI", 1)).unwrap();
    for (cert_file, key_file, at_fault, why) in [
        (&certificate, &encrypted, &encrypted, "the private key is encrypted"),
        (&certificate, &other_key, &other_key, "does not belong to the certificate"),
        (&certificate, &damaged, &damaged, "the private key cannot be read"),
        (&certificate, &certificate, &certificate, "no private key in it"),
        (&key, &key, &key, "no certificate in it"),
    ] {
        let policy = showing(&authority, (cert_file.clone(), key_file.clone()));
        let [told] = &policy.unusable_files()[..] else { panic!("{why}") };
        assert!(told.contains(why) && told.starts_with(&at_fault.display().to_string()), "{told}");
        let host = Host::new(policy);
        let failure = host.carry_out(get(&url(&server, "localhost"))).result.unwrap_err();
        assert_eq!(failure.kind(), &FailureKind::ClientCertificate);
        assert_eq!(failure.detail(), Some(&told[..]));
    }
    assert!(server.requests().is_empty());
    let policy = showing(&authority, (certificate, key));
    assert_eq!(policy.unusable_files(), Vec::<String>::new());
    Host::new(policy).get(&url(&server, "localhost"));
}
