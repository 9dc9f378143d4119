//! How a reply becomes a row.

use serde_json::json;
use testkit::{Call, Response};

use crate::fixture::Fixture;

/// Whether the row is a success of the transport.
#[track_caller]
fn assert_success(answer: &Response, status: i32) {
    assert_eq!(answer.status_code, Some(status), "{answer:?}");
    assert_eq!((answer.timed_out, &answer.error_msg), (Some(false), &None), "{answer:?}");
}

#[test]
fn any_status_is_a_success_of_the_transport() {
    let mut fixture = Fixture::new();
    for status in [200, 201, 404, 418, 500, 503] {
        let answer = fixture.get(&format!("/status/{status}"));
        assert_success(&answer, status);
        assert_eq!(answer.text(), format!("status {status}"));
        assert_eq!(answer.content_type.as_deref(), Some("text/plain; charset=utf-8"));
        assert_eq!(answer.header("Content-Type"), "text/plain; charset=utf-8");
    }
    assert_eq!(fixture.receiver.count(), 6);
}

#[test]
fn header_names_are_kept_as_the_server_wrote_them() {
    let mut fixture = Fixture::new();
    let reply = b"HTTP/1.1 200 OK\r\nX-ODD-Case: A b\r\ncontent-TYPE: text/plain\r\nContent-Length: 2\r\n\r\nok";
    fixture.receiver.script("/odd", vec![reply.to_vec()]);
    let answer = fixture.get("/odd");
    assert_success(&answer, 200);
    assert_eq!(answer.headers, Some(json!({"X-ODD-Case": "A b", "content-TYPE": "text/plain", "Content-Length": "2"})));
    assert_eq!(answer.content_type.as_deref(), Some("text/plain"));
    fixture.received("/odd");
}

#[test]
fn a_repeated_header_is_an_array_and_a_single_one_a_string() {
    let mut fixture = Fixture::new();
    let answer = fixture.get("/repeat-headers");
    assert_success(&answer, 200);
    assert_eq!(answer.header("Set-Cookie"), &json!(["a=1", "b=2"]));
    assert_eq!(answer.header("X-Once"), "one");
    fixture.received("/repeat-headers");
}

#[test]
fn odd_header_lines_are_kept() {
    let mut fixture = Fixture::new();
    let answer = fixture.get("/odd-headers");
    assert_success(&answer, 200);
    assert_eq!(answer.header("MissingValue"), "");
    assert_eq!(answer.header("Spaces In Header Name"), "x");
    assert_eq!(answer.header("NonPrintableChars"), "a\u{1}\u{2}");
    assert_eq!(answer.text(), "ok");
    fixture.received("/odd-headers");
}

#[test]
fn an_empty_body_is_null() {
    let mut fixture = Fixture::new();
    for (path, status) in [("/empty", 200), ("/status/204", 204)] {
        let answer = fixture.get(path);
        assert_success(&answer, status);
        assert_eq!(answer.content, None, "{path}");
        fixture.received(path);
    }
}

#[test]
fn text_is_decoded_by_its_charset() {
    let mut fixture = Fixture::new();
    let answer = fixture.get("/charset/latin1");
    assert_success(&answer, 200);
    assert_eq!(answer.text(), "café");
    fixture.received("/charset/latin1");
}

#[test]
fn what_is_no_text_is_kept_as_bytes() {
    let mut fixture = Fixture::new();
    for (path, bytes) in [("/bytes", &b"\x89PNG\r\n\x1a\n\xff\xc3\x28"[..]), ("/nul", &b"before\0after"[..])] {
        let answer = fixture.get(path);
        assert_success(&answer, 200);
        assert_eq!(answer.content, None, "{path}");
        let id = answer.id.unwrap();
        let kept: Vec<u8> = fixture.value(&format!("select content_bytes from net._http_response where id = {id}"));
        assert_eq!(kept, bytes, "{path}");
        fixture.received(path);
    }
}

#[test]
fn a_body_may_end_with_the_connection() {
    let mut fixture = Fixture::new();
    let answer = fixture.get("/half-close");
    assert_success(&answer, 200);
    assert_eq!(answer.text(), "until the end");
    fixture.received("/half-close");
}

#[test]
fn a_body_may_come_in_chunks_and_slowly() {
    let mut fixture = Fixture::new();
    let parts =
        [&b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chun"[..], b"ked\r\n\r\n5\r\nhello\r\n", b"6\r\n world\r\n0\r\n\r\n"];
    fixture.receiver.script("/chunks", parts.map(<[u8]>::to_vec).to_vec());
    let answer = fixture.get("/chunks");
    assert_success(&answer, 200);
    assert_eq!(answer.text(), "hello world");
    let answer = fixture.get("/drip?bytes=20&every_ms=10");
    assert_success(&answer, 200);
    assert_eq!(answer.text(), ".".repeat(20));
}

#[test]
fn an_interim_reply_is_passed_over() {
    let mut fixture = Fixture::new();
    let reply = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok";
    fixture.receiver.script("/hints", vec![reply.to_vec()]);
    let answer = fixture.get("/hints");
    assert_success(&answer, 201);
    assert_eq!(answer.headers, Some(json!({"Content-Length": "2"})));
    fixture.received("/hints");
}

#[test]
fn a_large_body_is_kept_whole() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/big?bytes=5000000");
    let answer = fixture.fetch(Call::get(&url).timeout(20_000));
    assert_success(&answer, 200);
    assert_eq!(answer.text().len(), 5_000_000);
    fixture.received("/big");
}
