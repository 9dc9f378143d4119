//! Connections: shared ones, kept ones, and ones that a server closes while we send.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::Duration;

use testkit::{Authority, Call, HaProxy, Nginx};

use super::trusting;
use crate::fixture::Fixture;

/// The ports on which HAProxy met those who sent these requests.
fn client_ports(fixture: &Fixture, count: usize) -> HashSet<String> {
    let requests = fixture.receiver.wait_for(count);
    requests.iter().map(|request| request.header("X-Client-Port").unwrap().to_owned()).collect()
}

#[test]
fn over_http_2_many_requests_at_once_share_a_connection() {
    const REQUESTS: usize = 50;
    let authority = Authority::new();
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    let haproxy = HaProxy::start(&authority, fixture.receiver.port());
    let gate = fixture.receiver.hold("/held");
    for (url, connections) in [(haproxy.tls_url("/held"), 1), (haproxy.url("/held"), REQUESTS)] {
        let seen = fixture.receiver.count();
        fixture.send_times(Call::get(&url).timeout(20_000), REQUESTS);
        // All are under way, and none is answered.
        fixture.receiver.wait_for(seen + REQUESTS);
        let requests = fixture.receiver.requests();
        let ports = requests[seen..].iter().map(|request| request.header("X-Client-Port").unwrap().to_owned());
        assert_eq!(ports.collect::<HashSet<_>>().len(), connections, "{url}");
    }
    gate.release();
    let answers = testkit::responses(&mut fixture.client, 2 * REQUESTS);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.receiver.count(), 2 * REQUESTS);
}

/// nginx would keep it for 75 seconds.
#[test]
fn an_idle_connection_is_kept_as_long_as_a_setting_says() {
    let authority = Authority::new();
    let nginx = Nginx::start_showing(&authority.certify_this_host(), "");
    let builder = trusting(&authority).conf("pg_net.idle_connection_timeout", "3s");
    let mut fixture = Fixture::with(builder.start_ready());
    let urls = [nginx.url("/"), nginx.tls_url("/")];
    for pause in [Duration::ZERO, Duration::ZERO, Duration::from_secs(4)] {
        // Time itself is what this is about: a second more than the setting says.
        sleep(pause);
        for url in &urls {
            assert_eq!(fixture.get_url(url).status_code, Some(200));
        }
    }
    let connections = nginx.wait_for(6).into_iter().map(|request| request.connection).collect::<Vec<_>>();
    assert_eq!(connections[..2], connections[2..4]);
    assert!(connections[4..].iter().all(|late| !connections[..2].contains(late)), "{connections:?}");
}

/// HAProxy closes a connection that was idle for 10 ms: often just as the next request is on its way.
#[test]
fn a_server_that_closes_idle_connections_at_the_wrong_moment() {
    const REQUESTS: usize = 100;
    let authority = Authority::new();
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    let haproxy = HaProxy::start(&authority, fixture.receiver.port());
    for (round, url) in [haproxy.url("/idle"), haproxy.tls_url("/idle")].iter().enumerate() {
        for request in 0..REQUESTS {
            assert_eq!(fixture.get_url(url).status_code, Some(200));
            sleep(Duration::from_micros(7_000 + 50 * request as u64));
        }
        assert_eq!(fixture.receiver.count(), (round + 1) * REQUESTS, "each is received once");
    }
    let ports = client_ports(&fixture, 2 * REQUESTS);
    assert!(ports.len() > 2, "some connections were closed: {ports:?}");
}

#[test]
fn an_ipv6_address_in_the_url() {
    let nginx = Nginx::start();
    let trust = nginx.authority_file();
    let mut fixture =
        Fixture::with(testkit::Cluster::builder().conf("pg_net.tls_ca_file", trust.to_str().unwrap()).start_ready());
    for url in [nginx.url("/").replace("127.0.0.1", "[::1]"), nginx.tls_url("/").replace("localhost", "[::1]")] {
        assert_eq!(fixture.get_url(&url).status_code, Some(200), "{url}");
    }
    let protocols = nginx.wait_for(2).into_iter().map(|request| request.server_protocol).collect::<Vec<_>>();
    assert_eq!(protocols, ["HTTP/1.1", "HTTP/2.0"]);
}
