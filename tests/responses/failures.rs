//! Each failure of the contract: its sentence, and a worker that goes on.

use testkit::{Call, Nginx, Receiver};

use crate::fixture::Fixture;

#[test]
fn a_timeout_tells_where_the_time_went() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/hang");
    let answer = fixture.fetch(Call::get(&url).timeout(1000));
    answer.assert_timeout(1000);
    fixture.received("/hang");
    fixture.assert_works();
}

/// Of a name, so that all three phases happen; then over the same connection, so that one does.
#[test]
fn each_phase_of_a_timeout_that_happened_is_above_zero() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/hang").replace("127.0.0.1", "localhost");
    let answer = fixture.fetch(Call::get(&url).timeout(1000));
    answer.assert_timeout(1000);
    let times: Vec<f64> = answer.error().split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(times.iter().all(|&time| time > 0.0), "{answer:?}");
    fixture.received("/hang");
    fixture.get("/status/200");
    let url = fixture.receiver.url("/hang");
    let answer = fixture.fetch(Call::get(&url).timeout(1000));
    answer.assert_timeout(1000);
    assert!(answer.error().contains("DNS time: 0.000000 ms, TCP/SSL handshake time: 0.000000 ms"), "{answer:?}");
    assert_eq!((fixture.receiver.count(), fixture.receiver.connections()), (3, 2));
}

#[test]
fn the_default_timeout_is_two_seconds() {
    let mut fixture = Fixture::new();
    fixture.get("/hang").assert_timeout(2000);
    fixture.received("/hang");
}

#[test]
fn the_timeout_covers_the_body() {
    let mut fixture = Fixture::new();
    for path in ["/hang-body", "/drip?bytes=100&every_ms=50"] {
        let url = fixture.receiver.url(path);
        fixture.fetch(Call::get(&url).timeout(1000)).assert_timeout(1000);
    }
    assert_eq!(fixture.receiver.count(), 2);
}

#[test]
fn the_timeout_starts_when_the_request_does() {
    // One at a time, so that the later ones wait longer than their timeout.
    let mut fixture = Fixture::with(testkit::Cluster::builder().conf("pg_net.max_in_flight", "1").start_ready());
    let url = fixture.receiver.url("/delay/500");
    fixture.send_times(Call::get(&url).timeout(2000), 6);
    let answers = testkit::responses(&mut fixture.client, 6);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    assert_eq!(fixture.receiver.count(), 6);
}

#[test]
fn a_refused_connection_is_reported() {
    let mut fixture = Fixture::new();
    let refused = Receiver::refused_port();
    fixture.get_url(&refused.url("/")).assert_failure("Couldn't connect to server");
    fixture.assert_works();
}

#[test]
fn a_name_that_does_not_resolve_is_reported() {
    let mut fixture = Fixture::new();
    // RFC 6761 keeps this name out of the DNS.
    fixture.fetch(Call::get("http://nowhere.invalid/").timeout(10_000)).assert_failure("Couldn't resolve host name");
    fixture.assert_works();
}

#[test]
fn a_connection_closed_without_a_reply_is_reported() {
    let mut fixture = Fixture::new();
    fixture.get("/close").assert_failure("Server returned nothing (no headers, no data)");
    fixture.received("/close");
    fixture.assert_works();
}

#[test]
fn a_reply_that_is_no_http_is_reported() {
    let mut fixture = Fixture::new();
    fixture.get("/garbage").assert_failure("Weird server reply");
    fixture.received("/garbage");
    fixture.assert_works();
}

#[test]
fn a_header_line_without_a_colon_is_reported() {
    let mut fixture = Fixture::new();
    fixture.get("/no-colon").assert_failure("Weird server reply");
    fixture.received("/no-colon");
    fixture.assert_works();
}

#[test]
fn a_body_cut_short_is_reported() {
    let mut fixture = Fixture::new();
    for path in ["/truncate", "/chunked-cut"] {
        fixture.get(path).assert_failure("Transferred a partial file");
        fixture.received(path);
    }
    fixture.assert_works();
}

#[test]
fn a_connection_reset_while_receiving_is_reported() {
    let mut fixture = Fixture::new();
    for path in ["/reset", "/reset-body"] {
        fixture.get(path).assert_failure("Failure when receiving data from the peer");
        fixture.received(path);
    }
    fixture.assert_works();
}

#[test]
fn too_many_redirects_are_reported() {
    let mut fixture = Fixture::new();
    fixture.get("/redirect-loop").assert_failure("Number of redirects hit maximum amount");
    // The first request and 30 hops.
    assert_eq!(fixture.receiver.count(), 31);
    fixture.assert_works();
}

#[test]
fn an_untrusted_certificate_is_reported() {
    let mut fixture = Fixture::new();
    let nginx = Nginx::start();
    fixture.get_url(&nginx.tls_url("/")).assert_failure("SSL peer certificate or SSH remote key was not OK");
    assert_eq!(nginx.requests(), []);
    fixture.assert_works();
}

#[test]
fn a_server_that_speaks_no_tls_is_reported() {
    let mut fixture = Fixture::new();
    let nginx = Nginx::start();
    let url = nginx.url("/").replace("http:", "https:");
    fixture.get_url(&url).assert_failure("SSL connect error");
    fixture.assert_works();
}

#[test]
fn a_body_larger_than_allowed_is_reported() {
    let mut fixture =
        Fixture::with(testkit::Cluster::builder().conf("pg_net.max_response_bytes", "100000").start_ready());
    assert_eq!(fixture.get("/big?bytes=100000").text().len(), 100_000);
    fixture.get("/big?bytes=100001").assert_failure("Response is larger than 100000 bytes (pg_net.max_response_bytes)");
    assert_eq!(fixture.receiver.count(), 2);
    fixture.assert_works();
}
