//! Proxies: Squid over HTTP and over TLS, microsocks.

use std::fs;

use testkit::{Authority, Builder, Nginx, Socks, Squid};

use super::trusting;
use crate::fixture::Fixture;

/// A server that goes through a proxy with these credentials, in a file of the data directory.
pub(crate) fn through(builder: Builder, proxy: &str, credentials: &str) -> Fixture {
    let builder = builder.conf("pg_net.proxy", proxy).conf("pg_net.proxy_credentials_file", "login");
    let fixture = Fixture::with(builder.start_ready());
    fs::write(fixture.cluster.data_directory().join("login"), credentials).unwrap();
    fixture
}

#[test]
fn squid_forwards_and_connects_those_who_log_in() {
    let authority = Authority::new();
    let here = authority.certify_this_host();
    let (nginx, squid) = (Nginx::start_showing(&here, ""), Squid::start(&authority, &[]));
    for (round, proxy) in [squid.proxy(), squid.tls_proxy()].iter().enumerate() {
        let mut fixture = through(trusting(&authority), proxy, Squid::CREDENTIALS);
        for url in [nginx.url("/forwarded"), nginx.tls_url("/tunnelled")] {
            for _ in 0..2 {
                assert_eq!(fixture.get_url(&url).text(), "ok", "{url} through {proxy}");
            }
        }
        let requests = nginx.wait_for(4 * (round + 1)).split_off(4 * round);
        let protocols = requests.iter().map(|request| request.server_protocol.as_str()).collect::<Vec<_>>();
        assert_eq!(protocols, ["HTTP/1.1", "HTTP/1.1", "HTTP/2.0", "HTTP/2.0"]);
        assert_eq!(requests[2].connection, requests[3].connection);
        let port: i32 =
            fixture.value("select substring(max(remote_address) from ':(.*)')::int from net._http_response");
        assert!(proxy.ends_with(&format!(":{port}")), "{port} is not that of {proxy}");
        // Squid tells of a tunnel when it ends.
        drop(fixture);
        squid.wait_for(2 * (round + 1), &format!("GET {} us@er", nginx.url("/forwarded")));
        let authority = nginx.tls_url("").replace("https://", "");
        squid.wait_for(round + 1, &format!("CONNECT {authority} us@er"));
    }
}

#[test]
fn a_host_of_unicode_is_asked_for_in_ascii() {
    let authority = Authority::new();
    let (nginx, squid) = (Nginx::start(), Squid::start(&authority, &["xn--bcher-kva.example"]));
    let mut fixture = through(trusting(&authority), &squid.proxy(), Squid::CREDENTIALS);
    let url = nginx.url("/").replace("127.0.0.1", "bücher.example");
    assert_eq!(fixture.get_url(&url).text(), "ok");
    squid.wait_for(1, &format!("GET {} us@er", nginx.url("/").replace("127.0.0.1", "xn--bcher-kva.example")));
}

#[test]
fn squid_refuses_those_who_do_not_log_in_until_they_do() {
    let authority = Authority::new();
    let here = authority.certify_this_host();
    let (nginx, squid) = (Nginx::start_showing(&here, ""), Squid::start(&authority, &[]));
    let mut fixture = through(trusting(&authority), &squid.proxy(), "us@er:wrong");
    assert_eq!(fixture.get_url(&nginx.url("/")).status_code, Some(407));
    let refused = fixture.get_url(&nginx.tls_url("/"));
    refused.assert_failure("proxy handshake error");
    assert_eq!(fixture.cause(&refused), ("proxy".into(), "the proxy answered CONNECT with status 407".into()));
    assert_eq!(nginx.requests(), []);

    fs::write(fixture.cluster.data_directory().join("login"), Squid::CREDENTIALS).unwrap();
    // Any change tells when the reload has happened.
    fixture.cluster.alter_system("pg_net.no_proxy", "reloaded.example");
    testkit::wait_until("a login", testkit::PATIENCE, || fixture.get_url(&nginx.tls_url("/")).status_code == Some(200));
    let log = fixture.cluster.log();
    assert!(!log.contains("hunter2") && !log.contains("us@er"), "{log}");
}

#[test]
fn no_proxy_hosts_and_networks_are_reached_without_the_proxy() {
    let authority = Authority::new();
    let here = authority.certify_this_host();
    let (nginx, squid) = (Nginx::start_showing(&here, ""), Squid::start(&authority, &["a.example", "b.example"]));
    let builder = trusting(&authority).conf("pg_net.no_proxy", "localhost, 127.0.0.0/8, .b.example");
    let mut fixture = through(builder, &squid.proxy(), Squid::CREDENTIALS);
    for url in [nginx.url("/direct"), nginx.tls_url("/direct")] {
        assert_eq!(fixture.get_url(&url).text(), "ok", "{url}");
    }
    // Only Squid knows these names.
    let named = |name| nginx.url("/named").replace("127.0.0.1", name);
    assert_eq!(fixture.get_url(&named("a.example")).text(), "ok");
    fixture.get_url(&named("b.example")).assert_failure("Couldn't resolve host name");
    squid.wait_for(1, "GET");
    drop(fixture);
    assert_eq!(squid.lines().len(), 1, "{:?}", squid.lines());
    assert_eq!(nginx.wait_for(3).len(), 3);
}

#[test]
fn microsocks_is_told_an_address_or_a_name() {
    let authority = Authority::new();
    let here = authority.certify_this_host();
    for (scheme, told) in [("socks5", "127.0.0.1"), ("socks5h", "localhost")] {
        let (nginx, socks) = (Nginx::start_showing(&here, ""), Socks::start());
        let mut fixture = through(trusting(&authority), &socks.proxy(scheme), Socks::CREDENTIALS);
        let urls = [nginx.url("/").replace("127.0.0.1", "localhost"), nginx.tls_url("/")];
        for url in &urls {
            assert_eq!(fixture.get_url(url).text(), "ok", "{url}");
        }
        let asked = urls.map(|url| url.trim_end_matches('/').rsplit_once(':').unwrap().1.to_owned());
        assert_eq!(socks.wait_for(2), asked.map(|port| format!("{told}:{port}")));
        assert_eq!(nginx.wait_for(2)[1].server_protocol, "HTTP/2.0");
    }
}

#[test]
fn microsocks_refuses_a_wrong_password() {
    let (nginx, socks) = (Nginx::start(), Socks::start());
    let mut fixture = through(testkit::Cluster::builder(), &socks.proxy("socks5"), "us@er:wrong\n");
    let refused = fixture.get_url(&nginx.url("/"));
    refused.assert_failure("proxy handshake error");
    let expected = ("proxy".into(), "the proxy does not accept user name and password".into());
    assert_eq!(fixture.cause(&refused), expected);
    assert_eq!(nginx.requests(), []);
}
