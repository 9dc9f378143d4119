//! What is wrong with a request is its outcome, and no error of the statement that made it; and what settings and logs do to it.

mod messages;
mod plain_worker;
mod refused;
mod settings;
mod waiting;
mod watched;

use std::sync::Arc;

use postgres::types::ToSql;
use serde_json::{Value, json};
use testkit::Request;

use crate::fixture::{Fixture, value};

/// A call of each request function, in a fixture's path, with headers and a timeout as parameters.
const CALLS: [&str; 10] = [
    "net.http_get($1, headers := $2, timeout_milliseconds := $3)",
    "net.http_head($1, headers := $2, timeout_milliseconds := $3)",
    "net.http_post($1, headers := $2, timeout_milliseconds := $3)",
    "net.http_put($1, headers := $2, timeout_milliseconds := $3)",
    "net.http_patch($1, headers := $2, timeout_milliseconds := $3)",
    "net.http_delete($1, headers := $2, timeout_milliseconds := $3)",
    "net.http_request('PURGE', $1, headers := $2, timeout_milliseconds := $3)",
    "net.http_request('POST', $1, 'text', headers := $2, timeout_milliseconds := $3)",
    "net.http_request('POST', $1, '{}'::jsonb, headers := $2, timeout_milliseconds := $3, max_attempts := 5)",
    "net.http_request('POST', $1, '{}'::json, headers := $2, timeout_milliseconds := $3, delivery := 'at_most_once')",
];

/// Calls a request function.
#[track_caller]
fn call(fixture: &mut Fixture, call: &str, url: &str, headers: &Value, timeout: i32) -> i64 {
    let arguments: [&(dyn ToSql + Sync); 3] = [&url, headers, &timeout];
    let called = fixture.client.query_one(&format!("select {call}"), &arguments);
    called.unwrap_or_else(|error| panic!("{call} with {headers} and {timeout}: {error:?}")).get(0)
}

/// Inserts a row by hand.
#[track_caller]
fn insert(fixture: &mut Fixture, url: &str, headers: &Value, timeout: i32) -> i64 {
    let insert = "insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
                  values ('POST', $1, $2, 'body', $3) returning id";
    let id = fixture.client.query_one(insert, &[&url, headers, &timeout]).expect("a row").get(0);
    fixture.client.batch_execute("select net.wake()").unwrap();
    id
}

/// Fails the test unless a request has failed without an attempt.
#[track_caller]
fn assert_failed(fixture: &mut Fixture, id: i64, kind: &str, message: &str) {
    fixture.response(id).assert_failure(message);
    let rest: Value = fixture.value(&format!(
        "select jsonb_build_object('kind', error_kind, 'attempts', attempts, 'elapsed', elapsed_ms,
                                   'dns', dns_ms, 'handshake', handshake_ms, 'remote', remote_address)
           from net._http_response where id = {id}"
    ));
    let expected =
        json!({"kind": kind, "attempts": 0, "elapsed": null, "dns": null, "handshake": null, "remote": null});
    assert_eq!(rest, expected, "{id}");
}

/// Fails the test unless nothing waits, nothing is buried, and nothing but this has arrived.
#[track_caller]
fn assert_arrived(fixture: &mut Fixture, requests: usize) {
    assert_eq!(value::<i64>(&mut fixture.client, "select count(*) from net.http_request_queue"), 0);
    assert_eq!(value::<i64>(&mut fixture.client, "select count(*) from net.dead_letter"), 0);
    assert_eq!(fixture.receiver.count(), requests);
}

/// What arrives, by each request function and from a row made by hand.
fn arrivals(fixture: &mut Fixture, headers: &Value) -> Vec<(String, Arc<Request>)> {
    let mut arrived = Vec::new();
    for (number, function) in CALLS.into_iter().chain(["an insert"]).enumerate() {
        let path = format!("/{number}?{}", fixture.receiver.count());
        let url = fixture.receiver.url(&path);
        let id = match function {
            "an insert" => insert(fixture, &url, headers, 5000),
            function => call(fixture, function, &url, headers, 5000),
        };
        let answer = fixture.response(id);
        assert_eq!((answer.status_code, answer.error_msg), (Some(200), None), "{function} with {headers}");
        let request = fixture.receiver.wait_for_request(&path, |request| request.target == path);
        arrived.push((format!("{function} with {headers}"), request));
    }
    arrived
}

const OURS: [&str; 8] =
    ["Connection", "Keep-Alive", "Content-Length", "Transfer-Encoding", "TE", "Trailer", "Upgrade", "Proxy-Connection"];

#[test]
fn case_15_headers_of_the_connection_are_left_out() {
    let mut fixture = Fixture::new();
    let mut all = json!({"X-Mine": "kept", "X-None": null});
    for name in OURS {
        all[name] = json!("close");
        all[name.to_lowercase()] = json!(15);
        all[name.to_uppercase()] = json!("a\r\nb: c");
    }
    let copied = json!({"X-Mine": "kept", "Content-Length": "15", "Connection": "keep-alive"});
    for headers in [all, copied] {
        for (what, request) in arrivals(&mut fixture, &headers) {
            assert_eq!(request.header("x-mine"), Some("kept"), "{what}");
            for name in OURS.iter().filter(|name| **name != "Content-Length") {
                assert_eq!(request.header(name), None, "{what}: {name}");
            }
            let lengths = request.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-length"));
            let lengths: Vec<_> = lengths.map(|(_, value)| value.clone()).collect();
            assert!(lengths.len() <= 1, "{what}: {lengths:?}");
            let told = lengths.first().map_or("0".to_owned(), Clone::clone);
            assert_eq!(told, request.body.len().to_string(), "{what}");
        }
    }
}

#[test]
fn case_15_a_blank_header_is_left_out_and_its_default_with_it() {
    let mut fixture = Fixture::new();
    let blank = json!({"Accept": "", "user-agent": " ", "Accept-Encoding": "", "Content-Type": "", "X-Blank": "",
                       "Idempotency-Key": "", "Host": "", "X-Mine": "kept"});
    for (what, request) in arrivals(&mut fixture, &blank) {
        assert_eq!(request.header("x-mine"), Some("kept"), "{what}");
        for name in ["accept", "user-agent", "accept-encoding", "content-type", "x-blank", "idempotency-key"] {
            assert_eq!(request.header(name), None, "{what}: {name}");
        }
        let host = format!("127.0.0.1:{}", fixture.receiver.port());
        assert_eq!(request.header("host"), Some(host.as_str()), "{what}: HTTP/1.1 has none without");
    }
    // Where they are not named, or null, the defaults are there.
    for (what, request) in arrivals(&mut fixture, &json!({"Accept": null, "Content-Type": null})) {
        assert_eq!(request.header("accept"), Some("*/*"), "{what}");
        assert!(request.header("user-agent").is_some_and(|agent| agent.starts_with("pg_net/")), "{what}");
        assert!(!what.starts_with("net.http_post") || request.header("content-type") == Some("application/json"));
    }
}
