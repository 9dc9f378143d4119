//! Each failure of the contract: its sentence, and a worker that goes on.

use testkit::{Nginx, Receiver};

use crate::support::Bench;

#[test]
fn a_timeout_tells_where_the_time_went() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/hang");
    let id = bench.ask(&format!("select net.http_get('{url}', timeout_milliseconds := 1000)"));
    let answer = bench.response(id);
    answer.assert_timeout(1000);
    bench.received("/hang");
    bench.assert_works();
}

/// Of a name, so that all three phases happen; then over the same connection, so that one does.
#[test]
fn each_phase_of_a_timeout_that_happened_is_above_zero() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/hang").replace("127.0.0.1", "localhost");
    let id = bench.ask(&format!("select net.http_get('{url}', timeout_milliseconds := 1000)"));
    let answer = bench.response(id);
    answer.assert_timeout(1000);
    let times: Vec<f64> = answer.error().split(' ').filter_map(|word| word.parse().ok()).collect();
    assert!(times.iter().all(|&time| time > 0.0), "{answer:?}");
    bench.received("/hang");
    bench.get("/status/200");
    let url = bench.receiver.url("/hang");
    let id = bench.ask(&format!("select net.http_get('{url}', timeout_milliseconds := 1000)"));
    let answer = bench.response(id);
    answer.assert_timeout(1000);
    assert!(answer.error().contains("DNS time: 0.000000 ms, TCP/SSL handshake time: 0.000000 ms"), "{answer:?}");
    assert_eq!((bench.receiver.count(), bench.receiver.connections()), (3, 2));
}

#[test]
fn the_default_timeout_is_two_seconds() {
    let mut bench = Bench::new();
    bench.get("/hang").assert_timeout(2000);
    bench.received("/hang");
}

#[test]
fn the_timeout_covers_the_body() {
    let mut bench = Bench::new();
    for path in ["/hang-body", "/drip?bytes=100&every_ms=50"] {
        let url = bench.receiver.url(path);
        let id = bench.ask(&format!("select net.http_get('{url}', timeout_milliseconds := 1000)"));
        bench.response(id).assert_timeout(1000);
    }
    assert_eq!(bench.receiver.count(), 2);
}

#[test]
fn the_timeout_starts_when_the_request_does() {
    // One at a time, so that the later ones wait longer than their timeout.
    let mut bench = Bench::with(testkit::Cluster::builder().conf("pg_net.max_in_flight", "1").start_ready());
    let url = bench.receiver.url("/delay/500");
    bench
        .client
        .batch_execute(&format!(
            "select net.http_get('{url}', timeout_milliseconds := 2000) from generate_series(1, 6)"
        ))
        .unwrap();
    let answers = testkit::responses(&mut bench.client, 6);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    assert_eq!(bench.receiver.count(), 6);
}

#[test]
fn a_port_that_refuses() {
    let mut bench = Bench::new();
    let refused = Receiver::refused_port();
    bench.get_url(&refused.url("/")).assert_failure("Couldn't connect to server");
    bench.assert_works();
}

#[test]
fn a_name_that_does_not_resolve() {
    let mut bench = Bench::new();
    // RFC 6761 keeps this name out of the DNS.
    let id = bench.ask("select net.http_get('http://nowhere.invalid/', timeout_milliseconds := 10000)");
    bench.response(id).assert_failure("Couldn't resolve host name");
    bench.assert_works();
}

#[test]
fn a_server_that_closes_at_once() {
    let mut bench = Bench::new();
    bench.get("/close").assert_failure("Server returned nothing (no headers, no data)");
    bench.received("/close");
    bench.assert_works();
}

#[test]
fn a_reply_that_is_no_http() {
    let mut bench = Bench::new();
    bench.get("/garbage").assert_failure("Weird server reply");
    bench.received("/garbage");
    bench.assert_works();
}

#[test]
fn a_header_line_without_a_colon() {
    let mut bench = Bench::new();
    bench.get("/no-colon").assert_failure("Weird server reply");
    bench.received("/no-colon");
    bench.assert_works();
}

#[test]
fn a_body_cut_short() {
    let mut bench = Bench::new();
    for path in ["/truncate", "/chunked-cut"] {
        bench.get(path).assert_failure("Transferred a partial file");
        bench.received(path);
    }
    bench.assert_works();
}

#[test]
fn a_connection_reset_while_receiving() {
    let mut bench = Bench::new();
    for path in ["/reset", "/reset-body"] {
        bench.get(path).assert_failure("Failure when receiving data from the peer");
        bench.received(path);
    }
    bench.assert_works();
}

#[test]
fn too_many_redirects() {
    let mut bench = Bench::new();
    bench.get("/redirect-loop").assert_failure("Number of redirects hit maximum amount");
    // The first request and 30 hops.
    assert_eq!(bench.receiver.count(), 31);
    bench.assert_works();
}

#[test]
fn a_certificate_that_nobody_vouches_for() {
    let mut bench = Bench::new();
    let nginx = Nginx::start();
    bench.get_url(&nginx.tls_url("/")).assert_failure("SSL peer certificate or SSH remote key was not OK");
    assert_eq!(nginx.requests(), []);
    bench.assert_works();
}

#[test]
fn a_server_that_speaks_no_tls() {
    let mut bench = Bench::new();
    let nginx = Nginx::start();
    let url = nginx.url("/").replace("http:", "https:");
    bench.get_url(&url).assert_failure("SSL connect error");
    bench.assert_works();
}

#[test]
fn a_body_larger_than_allowed() {
    let mut bench = Bench::with(testkit::Cluster::builder().conf("pg_net.max_response_bytes", "100000").start_ready());
    assert_eq!(bench.get("/big?bytes=100000").text().len(), 100_000);
    bench.get("/big?bytes=100001").assert_failure("Response is larger than 100000 bytes (pg_net.max_response_bytes)");
    assert_eq!(bench.receiver.count(), 2);
    bench.assert_works();
}
