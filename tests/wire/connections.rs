//! Connections that servers close, and HTTP/2 streams that they turn away.

use std::collections::HashSet;
use std::thread::sleep;
use std::time::Duration;

use serde_json::json;
use testkit::{Authority, Builder, Call, Cluster, HaProxy, Nginx, StandardServer, responses};

use crate::fixture::Fixture;

fn trusting(authority: &Authority) -> Builder {
    Cluster::builder().conf("pg_net.tls_ca_file", authority.file().to_str().unwrap())
}

/// The uris are as many as they are different.
#[track_caller]
fn each_once(uris: Vec<String>, count: usize) {
    assert_eq!((uris.len(), uris.iter().collect::<HashSet<_>>().len()), (count, count), "{uris:?}");
}

/// Go's server says nothing of how long it keeps a connection, Node's does. POSTs to each come as it closes the connection of the
/// last one.
#[test]
fn case_34_posts_are_all_answered_as_the_server_closes_the_connection() {
    const POSTS: usize = 40;
    const LIMIT: Duration = Duration::from_millis(100);
    let mut fixture = Fixture::new();
    let authority = Authority::new();
    let servers = [StandardServer::go(&authority, LIMIT), StandardServer::node(&authority, LIMIT)];
    for number in 0..POSTS {
        for server in &servers {
            fixture.send(Call::post(&server.url(&format!("/{number}"))).json(json!({})));
        }
        // Time itself is what this is about: from before the limit until after it.
        sleep(LIMIT - Duration::from_millis(10) + Duration::from_micros(500) * number as u32);
    }
    let answers = responses(&mut fixture.client, servers.len() * POSTS);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    for server in &servers {
        each_once(server.wait_for(POSTS).into_iter().map(|request| request.uri).collect(), POSTS);
    }
}

/// The receiver reads a request and closes the connection. Whether it has processed the request cannot be known.
#[test]
fn case_34_a_request_on_a_connection_that_ends_is_sent_again_unless_at_most_once() {
    let mut fixture = Fixture::new();
    for (delivery, path, received) in [("at_least_once", "/close/least", 2), ("at_most_once", "/close/most", 1)] {
        // Another request used the connection before.
        assert_eq!(fixture.get("/status/200").status_code, Some(200));
        let url = fixture.receiver.url(path);
        let id = fixture.send(Call::request("PATCH", &url).text("x").delivery(delivery));
        fixture.response(id).assert_failure("Server returned nothing (no headers, no data)");
        let attempts = format!("select attempts from net._http_response where id = {id}");
        assert_eq!(fixture.value::<i32>(&attempts), 1, "it is sent again within its attempt");
        let came = fixture.receiver.requests().iter().filter(|request| request.path() == path).count();
        assert_eq!(came, received, "{delivery}");
    }
}

/// nginx processes one request a connection, and says of the others that have come that it did not.
#[test]
fn case_36_requests_that_nginx_did_not_process_are_sent_again() {
    const REQUESTS: usize = 200;
    let authority = Authority::new();
    let nginx = Nginx::start_showing(&authority.certify_this_host(), "keepalive_timeout 0;");
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    let ask = format!(
        "select net.http_request('POST', '{}' || n, 'x'::text, timeout_milliseconds => 20000,
                delivery => case n % 2 when 0 then 'at_most_once' else 'at_least_once' end::net.delivery)
         from generate_series(1, {REQUESTS}) n",
        nginx.tls_url("/")
    );
    fixture.client.batch_execute(&ask).unwrap();
    let answers = responses(&mut fixture.client, REQUESTS);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response where attempts = 1"), REQUESTS as i64);
    each_once(nginx.wait_for(REQUESTS).into_iter().map(|request| request.uri).collect(), REQUESTS);
}

/// HAProxy takes 100 streams a connection, and the receiver behind it answers none until all requests have come.
#[test]
fn case_36a_more_requests_than_streams_at_once_are_all_answered() {
    const REQUESTS: usize = 150;
    let authority = Authority::new();
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    let haproxy = HaProxy::start(&authority, fixture.receiver.port());
    let gate = fixture.receiver.hold("/held");
    let url = haproxy.tls_url("/held");
    fixture.send_times(Call::post(&url).timeout(20_000), REQUESTS);
    let received = fixture.receiver.wait_for(REQUESTS);
    gate.release();
    let ports = received.iter().map(|request| request.header("X-Client-Port").unwrap()).collect::<HashSet<_>>();
    assert_eq!(ports.len(), 2);
    let answers = responses(&mut fixture.client, REQUESTS);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
}
