use engine::Content;

use crate::servers::host::{carry_out, get, text};
use crate::servers::server::Server;

fn content(content_type: &str, body: &[u8]) -> Content {
    let mut reply = format!("HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n\r\n").into_bytes();
    reply.extend_from_slice(body);
    let server = Server::answering_once(reply);
    carry_out(get(&server.url("/"))).unwrap().content
}

#[test]
fn text_is_decoded_by_its_charset() {
    assert_eq!(content("text/plain; charset=iso-8859-1", b"caf\xe9"), Content::Text("café".to_owned()));
    assert_eq!(content("application/json", "{\"a\": \"é\"}".as_bytes()), Content::Text("{\"a\": \"é\"}".to_owned()));
}

#[test]
fn what_is_no_text_is_kept_whole() {
    assert_eq!(content("image/png", b"\x89PNG\r\n"), Content::Bytes(b"\x89PNG\r\n"[..].into()));
    assert_eq!(content("text/plain", b"a\0b"), Content::Bytes(b"a\0b"[..].into()));
}

#[test]
fn chunks_are_joined() {
    let server = Server::answering(
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\none\r\n4\r\n two\r\n0\r\nTrailer: x\r\n\r\n",
    );
    assert_eq!(text(&carry_out(get(&server.url("/"))).unwrap()), "one two");
}

#[test]
fn a_long_body_arrives_whole() {
    let body = (0..3_000_000).map(|at| char::from(b'a' + (at % 23) as u8)).collect::<String>();
    let server = Server::answering_once(crate::servers::server::ok(&body));
    assert!(text(&carry_out(get(&server.url("/"))).unwrap()) == body);
}
