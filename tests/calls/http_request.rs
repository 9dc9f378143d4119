//! `net.http_request` and its shorthands: methods, and bodies of each type.

use std::sync::Arc;

use serde_json::json;
use testkit::Request;

use crate::fixture::{Fixture, error_of};

/// Calls a request function with the receiver's URL in the place of `$url`; what arrived, once the response is there.
#[track_caller]
fn send(fixture: &mut Fixture, call: &str) -> Arc<Request> {
    let path = format!("/{}", fixture.receiver.count());
    let id = fixture
        .value::<i64>(&format!("select net.{}", call.replace("$url", &format!("'{}'", fixture.receiver.url(&path)))));
    assert_eq!(fixture.response(id).status_code, Some(200), "{call}");
    fixture.received(&path)
}

#[test]
fn the_type_of_the_body_says_what_is_sent() {
    let mut fixture = Fixture::new();
    let text = Some("text/plain; charset=utf-8");
    let json = Some("application/json");
    for (arguments, content_type, body) in [
        ("", None, &b""[..]),
        (r", '\x00ff0a'::bytea", None, b"\0\xff\n"),
        (", 'ěšč'::text", text, "ěšč".as_bytes()),
        (", ' { \"b\": 1,\"a\": 1.0}'::json", json, b" { \"b\": 1,\"a\": 1.0}"),
        (", ' { \"b\": 1,\"a\": 1.0}'::jsonb", json, b"{\"a\": 1.0, \"b\": 1}"),
        (", to_json(array[1, 2])", json, b"[1,2]"),
        (", 'null'::jsonb", json, b"null"),
        (", ''::text", text, b""),
        (", null::bytea", None, b""),
        (", null::text", None, b""),
        (", null::jsonb", None, b""),
        (", null::json", None, b""),
    ] {
        let received = send(&mut fixture, &format!("http_request('PUT', $url{arguments})"));
        assert_eq!((received.header("content-type"), received.body.as_slice()), (content_type, body), "{arguments}");
        assert_eq!(received.header("content-length"), Some(body.len().to_string().as_str()), "{arguments}");
    }
}

#[test]
fn a_body_without_a_type_is_text() {
    let mut fixture = Fixture::new();
    for arguments in [", 'a literal'", ", body := 'a literal'", ", E'a literal', '{}', '{}'"] {
        let received = send(&mut fixture, &format!("http_request('PUT', $url{arguments})"));
        let text = Some("text/plain; charset=utf-8");
        assert_eq!((received.header("content-type"), received.text().as_str()), (text, "a literal"), "{arguments}");
    }
    // What Postgres makes of a call, without running it.
    let mut resolved = |call: &str| -> String {
        let plan = fixture.client.query(&format!("explain (verbose, costs off) select net.http_request({call})"), &[]);
        plan.unwrap().iter().map(|line| line.get::<_, String>(0)).collect()
    };
    assert!(resolved("'PUT', 'http://host/', null").contains("'http://host/'::text, NULL::text, '{}'::jsonb"));
    assert!(resolved("'PUT', 'http://host/'").contains("'http://host/'::text, NULL::bytea, '{}'::jsonb"));
    fixture.client.batch_execute("prepare ask as select net.http_request('PUT', 'http://host/', $1)").unwrap();
    let parameter = "select parameter_types[1]::text from pg_prepared_statements where name = 'ask'";
    assert_eq!(fixture.value::<String>(parameter), "text");
}

#[test]
fn the_headers_have_the_last_word_on_the_content_type() {
    let mut fixture = Fixture::new();
    for body in ["", ", 'a'", ", '1'::json", ", '1'::jsonb", r", '\x61'::bytea"] {
        let call = format!("http_request('PUT', $url{body}, headers := '{{\"content-type\": \"image/png\"}}')");
        let received = send(&mut fixture, &call);
        let types = received.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("content-type"));
        assert_eq!(types.map(|(_, value)| value.as_str()).collect::<Vec<_>>(), ["image/png"], "{body}");
    }
}

#[test]
fn any_http_token_is_a_method() {
    let mut fixture = Fixture::new();
    for (given, sent) in [
        ("OPTIONS", "OPTIONS"),
        ("options", "OPTIONS"),
        ("Get", "GET"),
        ("trace", "TRACE"),
        ("PURGE", "PURGE"),
        ("M-SEARCH", "M-SEARCH"),
        ("Mixed.Case~", "Mixed.Case~"),
    ] {
        let received = send(&mut fixture, &format!("http_request('{given}', $url, params := '{{\"a\": 1}}')"));
        assert_eq!((received.method.as_str(), received.query()), (sent, Some("a=1")));
    }
    let long = "X".repeat(65);
    for refused in ["CONNECT", "connect", "", "GET /x HTTP/1.1", "GET\r\nX: y", "GÉT", "a:b", &long] {
        let call = "select net.http_request($1, 'http://127.0.0.1/')";
        let error = fixture.client.query_one(call, &[&refused]).expect_err(refused);
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "22023", "{refused:?}: {error:?}");
        assert!(error.message().starts_with("unsupported request method"), "{error:?}");
    }
    let (state, message) = error_of(&mut fixture.client, "select net.http_request(null, 'http://127.0.0.1/')");
    assert_eq!((state.as_str(), message.as_str()), ("23502", "null value in column \"method\""));
    assert_eq!(fixture.receiver.count(), 7);
}

#[test]
fn put_and_patch_are_like_post() {
    let mut fixture = Fixture::new();
    for (call, method, content_type, body) in [
        ("http_put($url)", "PUT", Some("application/json"), "{}"),
        ("http_patch($url)", "PATCH", Some("application/json"), "{}"),
        ("http_put($url, '{\"a\": [null]}')", "PUT", Some("application/json"), "{\"a\": [null]}"),
        ("http_patch($url, '1', '{}', '{\"X-A\": 1}')", "PATCH", Some("application/json"), "1"),
        ("http_put($url, headers := '{\"Content-Type\": \"text/x\"}')", "PUT", Some("text/x"), "{}"),
        ("http_patch($url, null)", "PATCH", Some("application/json"), ""),
    ] {
        let received = send(&mut fixture, call);
        let have = (received.method.as_str(), received.header("content-type"), received.text());
        assert_eq!(have, (method, content_type, body.to_owned()), "{call}");
    }
}

/// A reply to HEAD, and one with 204 or 304, ends with its head, whatever that says of a body.
#[test]
fn some_replies_have_no_body() {
    let mut fixture = Fixture::new();
    for (call, path, head) in [
        ("http_head($url)", "/head", "200 OK\r\nContent-Length: 10"),
        ("http_head($url)", "/chunked", "200 OK\r\nTransfer-Encoding: chunked"),
        ("http_get($url)", "/204", "204 No Content"),
        ("http_get($url)", "/304", "304 Not Modified\r\nContent-Length: 10\r\nETag: \"a\""),
    ] {
        fixture.receiver.script(path, vec![format!("HTTP/1.1 {head}\r\n\r\n").into_bytes()]);
        let url = format!("'{}'", fixture.receiver.url(path));
        let id = fixture.value::<i64>(&format!("select net.{}", call.replace("$url", &url)));
        let answer = fixture.response(id);
        assert_eq!((answer.status_code, &answer.error_msg), (head[..3].parse().ok(), &None), "{path}");
        let body: Option<Vec<u8>> =
            fixture.value(&format!("select content_bytes from net._http_response where id = {id}"));
        assert_eq!((answer.content, body), (None, None), "{path}");
        let method = if call.contains("head") { "HEAD" } else { "GET" };
        assert_eq!(fixture.received(path).method, method);
    }
    let answer = fixture.get("/304");
    assert_eq!(answer.headers, Some(json!({"Content-Length": "10", "ETag": "\"a\""})));
}
