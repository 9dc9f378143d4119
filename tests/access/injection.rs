//! No argument of a call can add a line to what is sent, or a request behind it.

use serde_json::json;

use testkit::Call;

use crate::fixture::{Fixture, error_of};

/// What would be a second request, if it got onto the wire.
const SMUGGLED: &str = "\r\nX-Smuggled: yes\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";

/// Line breaks in all the ways that servers have been known to read them.
const BREAKS: [&str; 6] = ["\r\n", "\n", "\r", "\u{85}", "\u{2028}", "\u{b}"];

/// Fails the test if the receiver got anything that a call did not ask for.
#[track_caller]
fn assert_nothing_smuggled(fixture: &mut Fixture) {
    fixture.assert_works();
    for request in fixture.receiver.requests() {
        assert!(!request.target.contains("/smuggled"), "{request:?}");
        let smuggled = |name: &str| name.eq_ignore_ascii_case("x-smuggled");
        assert!(!request.headers.iter().any(|(name, _)| smuggled(name)), "{request:?}");
    }
}

#[test]
fn line_breaks_in_a_url_are_refused_or_encoded() {
    let mut fixture = Fixture::new();
    let base = fixture.receiver.url("/a");
    for place in ["/a", "/a?b=c", "/a#d"] {
        for line_break in BREAKS {
            let url = format!("{}{line_break}X-Smuggled: yes{SMUGGLED}", fixture.receiver.url(place));
            let refused = fixture.client.query("select net.http_get($1)", &[&url]).unwrap_err();
            assert_eq!(refused.as_db_error().unwrap().code().code(), "22023", "{url:?}: {refused:?}");
        }
    }
    // What is no control character of ASCII goes percent-encoded in a path.
    let url = format!("{base}\u{85}\u{2028}X-Smuggled: yes");
    let id = fixture.client.query_one("select net.http_get($1)", &[&url]).unwrap().get(0);
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!(fixture.receiver.requests()[0].target, "/a%c2%85%e2%80%a8X-Smuggled:%20yes");
    for url in [format!("{base} HTTP/1.1\tX: y"), base.replacen("http", "http\n", 1), format!("\t{base}")] {
        let refused = fixture.client.query("select net.http_get($1)", &[&url]).unwrap_err();
        assert_eq!(refused.as_db_error().unwrap().code().code(), "22023", "{url:?}");
    }
    assert_nothing_smuggled(&mut fixture);
}

#[test]
fn line_breaks_in_params_are_encoded() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/a");
    let params = json!({ SMUGGLED: SMUGGLED, "a": { "b": SMUGGLED } });
    let id = fixture.client.query_one("select net.http_get($1, $2)", &[&url, &params]).unwrap().get(0);
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert!(fixture.receiver.requests()[0].target.contains("%0D%0AX-Smuggled%3A%20yes"));
    assert_nothing_smuggled(&mut fixture);
}

#[test]
fn line_breaks_in_headers_are_not_sent() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/a");
    let mut headers = vec![
        json!({ "X-A: b\r\nX-Smuggled": "yes" }),
        json!({ "X-Smuggled:": "yes" }),
        json!({ "X-Smuggled ": "yes" }),
        json!({ " X-Smuggled": "yes" }),
        json!({ ":path": "/smuggled" }),
        json!({ ":authority": "smuggled" }),
        json!({ "": "yes" }),
        json!({ "X-Ä": "yes" }),
        json!({ "X-A": [SMUGGLED, "\u{7f}"] , "X-B": "\u{7f}" }),
    ];
    headers.extend(
        ["\r\n", "\n", "\r", "\u{b}", "\u{1}", "\u{1b}"]
            .map(|text| json!({ "X-A": format!("b{text}X-Smuggled: yes") })),
    );
    for headers in headers {
        for function in [
            "net.http_get($1, headers := $2)",
            "net.http_post($1, headers := $2)",
            "net.http_delete($1, headers := $2)",
        ] {
            let id = fixture.client.query_one(&format!("select {function}"), &[&url, &headers]).unwrap().get(0);
            let answer = fixture.response(id);
            answer.assert_failure(answer.error());
            assert!(answer.error().starts_with("header \""), "{answer:?}");
        }
    }
    assert_nothing_smuggled(&mut fixture);
    assert_eq!(fixture.receiver.count(), 1);
}

/// With its own length or coding, a request could be made to look like two.
#[test]
fn framing_headers_of_the_caller_are_left_out() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/a");
    for name in [
        "Content-Length",
        "content-length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Trailer",
        "Upgrade",
        "Keep-Alive",
        "Proxy-Connection",
        "HTTP2-Settings",
    ] {
        let headers = json!({ name: "0" });
        let id = fixture.client.query_one("select net.http_post($1, headers := $2)", &[&url, &headers]).unwrap().get(0);
        assert_eq!(fixture.response(id).status_code, Some(200), "{name}");
        let request = fixture.receiver.requests().pop().unwrap();
        let expected = name.eq_ignore_ascii_case("content-length").then_some("2");
        assert_eq!((request.header(name), request.text()), (expected, "{}".to_owned()), "{name}");
    }
    let hosts = json!({ "Host": "one.example", "host": "other.example" });
    let id = fixture.client.query_one("select net.http_get($1, headers := $2)", &[&url, &hosts]).unwrap().get(0);
    fixture.response(id).assert_failure("more than one header \"Host\"");
    let host = json!({ "host": "one.example" });
    let id = fixture.client.query_one("select net.http_get($1, headers := $2)", &[&url, &host]).unwrap().get(0);
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!(fixture.receiver.requests().pop().unwrap().header("host"), Some("one.example"));
}

#[test]
fn line_breaks_in_a_direct_insert_are_not_sent() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/a");
    let rows = [
        ("GET", format!("{url}{SMUGGLED}"), json!({})),
        ("GET", url.clone(), json!({ "X-A": SMUGGLED })),
        ("GET", url.clone(), json!({ "X-A\r\nX-Smuggled": "yes" })),
        ("GET", url.clone(), json!({ "Host": "a", "host": "b" })),
    ];
    for (method, url, headers) in rows {
        let insert = "insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
                      values ($1::text, $2, $3, 'GET /smuggled HTTP/1.1', 2000) returning id";
        let id = fixture.client.query_one(insert, &[&method, &url, &headers]).unwrap().get(0);
        fixture.client.batch_execute("select net.wake()").unwrap();
        let answer = fixture.response(id);
        answer.assert_failure(answer.error());
    }
    assert_nothing_smuggled(&mut fixture);
    assert_eq!(fixture.receiver.count(), 1);
}

/// A method is the first word of the request line.
#[test]
fn line_breaks_in_a_method_are_refused() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/a");
    for method in ["GET /smuggled HTTP/1.1\r\n", "GET\r\nX: y", "G T", "GET\t", ""] {
        let insert =
            "insert into net.http_request_queue (method, url, timeout_milliseconds) values ($1::text, $2, 2000)";
        let refused = fixture.client.execute(insert, &[&method, &url]).expect_err(method);
        assert_eq!(refused.as_db_error().unwrap().code().code(), "23514", "{method:?}");
        let refused = fixture.client.query("select net.http_request($1, $2)", &[&method, &url]).expect_err(method);
        assert_eq!(refused.as_db_error().unwrap().code().code(), "22023", "{method:?}");
    }
    assert_nothing_smuggled(&mut fixture);
}

#[test]
fn line_breaks_in_an_idempotency_key_are_not_sent() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/a");
    for line_break in ["\r\n", "\n", "\r", "\u{b}"] {
        let key = format!("key{line_break}X-Smuggled: yes");
        let call = "select net.http_request('POST', $1, idempotency_key := $2)";
        let called: i64 = fixture.client.query_one(call, &[&url, &key]).unwrap().get(0);
        let insert = "insert into net.http_request_queue (method, url, timeout_milliseconds, idempotency_key)
                      values ('POST', $1, 2000, $2) returning id";
        let id = fixture.client.query_one(insert, &[&url, &key]).unwrap().get(0);
        fixture.client.batch_execute("select net.wake()").unwrap();
        for id in [called, id] {
            let answer = fixture.response(id);
            answer.assert_failure(answer.error());
            assert!(answer.error().starts_with("header \"Idempotency-Key\" contains a "), "{answer:?}");
        }
    }
    assert_nothing_smuggled(&mut fixture);
    assert_eq!(fixture.receiver.count(), 1);
}

/// So many fields that a table of them could not be made.
#[test]
fn a_request_with_too_many_headers_is_not_sent_and_holds_up_no_other() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/a");
    let many = "(select jsonb_object_agg('x-' || n, n) from generate_series(1, 40000) n)";
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    let called = fixture.send(Call::get(&url).with("headers", many));
    let inserted = fixture.value::<i64>(&format!(
        "insert into net.http_request_queue (method, url, headers, timeout_milliseconds)
         values ('GET', '{url}', {many}, 2000) returning id"
    ));
    fixture.client.batch_execute("select net.wake()").unwrap();
    for id in [called, inserted] {
        fixture.response(id).assert_failure("more than 1000 headers");
    }
    fixture.assert_works();
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), worker);
    let few = "(select jsonb_object_agg('x-' || n, n) from generate_series(1, 40) n)";
    assert_eq!(fixture.fetch(Call::post(&url).with("headers", few)).status_code, Some(200));
}

#[test]
fn a_request_larger_than_the_limit_is_refused() {
    let cluster = testkit::Cluster::builder().conf("pg_net.max_request_bytes", "1kB").start_ready();
    let mut fixture = Fixture::with(cluster);
    let url = fixture.receiver.url("/a");
    let large = [
        format!("net.http_get('{url}?' || repeat('x', 2000))"),
        format!("net.http_get('{url}', params := jsonb_build_object('a', repeat('x', 2000)))"),
        format!("net.http_get('{url}', headers := jsonb_build_object('a', repeat('x', 2000)))"),
        format!("net.http_post('{url}', jsonb_build_object('a', repeat('x', 2000)))"),
        format!("net.http_post('{url}?' || repeat('x', 400), jsonb_build_object('a', repeat('x', 600)))"),
    ];
    for call in large {
        let (state, message) = error_of(&mut fixture.client, &format!("select {call}"));
        assert_eq!(state, "54000", "{call}: {message}");
        assert!(message.contains("pg_net.max_request_bytes"), "{message}");
    }
    for columns in [
        format!("'{url}?' || repeat('x', 2000), '{{}}', ''"),
        format!("'{url}', jsonb_build_object('a', repeat('x', 2000)), ''"),
        format!("'{url}', '{{}}', convert_to(repeat('x', 2000000), 'UTF8')"),
    ] {
        let id = fixture.value::<i64>(&format!(
            "insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
             values ('POST', {columns}, 2000) returning id"
        ));
        fixture.client.batch_execute("select net.wake()").unwrap();
        let answer = fixture.response(id);
        assert!(answer.error().contains("pg_net.max_request_bytes"), "{answer:?}");
    }
    assert_eq!(
        fixture.fetch(Call::post(&url).with("body", "jsonb_build_object('a', repeat('x', 600))")).status_code,
        Some(200)
    );
    assert_eq!(fixture.receiver.count(), 1);
    fixture.cluster.alter_system("pg_net.max_request_bytes", "8kB");
    let mut client = fixture.cluster.connect();
    let id = Call::post(&url).with("body", "jsonb_build_object('a', repeat('x', 2000))").send(&mut client);
    assert_eq!(fixture.response(id).status_code, Some(200));
}
