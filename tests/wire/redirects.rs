//! Redirects are followed as libcurl follows them.

use serde_json::json;
use testkit::{Call, Receiver, Request};

use crate::fixture::Fixture;

/// Sends a POST with credentials through a redirect of this status, and gives what arrived at its end.
fn post_through(fixture: &mut Fixture, status: u16, to: &str) -> i64 {
    let url = fixture.receiver.url(&format!("/redirect/{status}?to={to}"));
    fixture.send(
        Call::post(&url)
            .json(json!({"a": 1}))
            .header("Authorization", "Bearer x")
            .header("Cookie", "c=1")
            .header("X-Other", "y"),
    )
}

#[test]
fn a_moved_post_becomes_a_get() {
    for status in [301, 302, 303] {
        let mut fixture = Fixture::new();
        let id = post_through(&mut fixture, status, "/status/201");
        let answer = fixture.response(id);
        // What is stored is of the last hop.
        assert_eq!((answer.status_code, answer.text()), (Some(201), "status 201"), "{status}");
        assert_eq!(answer.header("Location"), &serde_json::Value::Null);
        let request = fixture.received("/status/201");
        assert_eq!((request.method.as_str(), request.body.as_slice()), ("GET", &b""[..]), "{status}");
        assert_eq!(request.header("Authorization"), Some("Bearer x"));
        assert_eq!(request.header("X-Other"), Some("y"));
    }
}

#[test]
fn a_redirected_post_stays_a_post() {
    for status in [307, 308] {
        let mut fixture = Fixture::new();
        let id = post_through(&mut fixture, status, "/echo");
        assert_eq!(fixture.response(id).status_code, Some(200), "{status}");
        let request = fixture.received("/echo");
        assert_eq!((request.method.as_str(), request.text().as_str()), ("POST", r#"{"a": 1}"#), "{status}");
        assert_eq!(request.header("Authorization"), Some("Bearer x"));
        assert_eq!(request.header("Content-Type"), Some("application/json"));
    }
}

#[test]
fn credentials_are_not_sent_to_another_host() {
    let mut fixture = Fixture::new();
    let other = Receiver::start();
    // Another name is another host, whatever address it has.
    let to = format!("http://localhost:{}/echo", other.port());
    let id = post_through(&mut fixture, 307, &to);
    assert_eq!(fixture.response(id).status_code, Some(200));
    let request = other.wait_for(1).remove(0);
    assert_eq!((request.header("Authorization"), request.header("Cookie")), (None, None));
    assert_eq!(request.header("X-Other"), Some("y"));
}

#[test]
fn thirty_hops_are_followed() {
    let mut fixture = Fixture::new();
    let answer = fixture.get("/hops/30");
    assert_eq!((answer.status_code, answer.text()), (Some(200), "arrived"));
    assert_eq!(fixture.receiver.count(), 31);
    fixture.get("/hops/31").assert_failure("Number of redirects hit maximum amount");
}

#[test]
fn only_http_is_followed() {
    let mut fixture = Fixture::new();
    for to in ["ftp://127.0.0.1/", "file:///etc/passwd"] {
        let answer = fixture.get(&format!("/redirect/302?to={to}"));
        assert_eq!((answer.status_code, answer.timed_out), (None, Some(false)), "{to}");
        assert!(answer.error().contains("Redirect to an unsupported"), "{answer:?}");
    }
    fixture.assert_works();
}

#[test]
fn a_redirect_without_a_location_is_an_answer() {
    let mut fixture = Fixture::new();
    let answer = fixture.get("/status/302");
    assert_eq!((answer.status_code, answer.text()), (Some(302), "status 302"));
    let paths: Vec<String> =
        fixture.receiver.requests().iter().map(|request: &std::sync::Arc<Request>| request.target.clone()).collect();
    assert_eq!(paths, ["/status/302"]);
}
