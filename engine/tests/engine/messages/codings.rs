use std::io::Write;

use engine::{Content, Failure, Policy, Request, Response};
use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};
use ruzstd::encoding::{CompressionLevel, compress_to_vec};

use crate::servers::host::{Host, carry_out, get, request, text};
use crate::servers::server::{Server, ok};

const PLAIN: &str = "hello, brotli. hello, brotli. hello!";

/// [`PLAIN`], as the reference encoder compresses it.
const BROTLI: &[u8] = b"\x1b#\x00\x00\xc4ml]\xfd\xe2\x1d>!\x08\xa2\x1cD\x91\xa1J\xf0\x9c\x1e\x85\xdc\xfe\xd4\x10\x01";

/// A zstd frame that holds four bytes for somebody else (RFC 8878 §3.1.2).
const SKIPPED: &[u8] = b"\x50\x2a\x4d\x18\x04\x00\x00\x00mine";

fn gzip(plain: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zlib(plain: &[u8]) -> Vec<u8> {
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(plain: &[u8]) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain).unwrap();
    encoder.finish().unwrap()
}

fn zstd(plain: &[u8]) -> Vec<u8> {
    compress_to_vec(plain, CompressionLevel::Fastest)
}

fn reply(coding: &str, body: &[u8]) -> Vec<u8> {
    let length = body.len();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n");
    [head.as_bytes(), body].concat()
}

fn answer(coding: &str, body: &[u8]) -> Result<Response, Failure> {
    let server = Server::answering(reply(coding, body));
    carry_out(get(&server.url("/")))
}

#[test]
fn each_coding_is_undone_and_the_header_stays() {
    for (coding, body) in [
        ("gzip", gzip(PLAIN.as_bytes())),
        ("X-GZip", gzip(PLAIN.as_bytes())),
        ("deflate", zlib(PLAIN.as_bytes())),
        ("deflate", raw_deflate(PLAIN.as_bytes())),
        ("br", BROTLI.to_vec()),
        ("zstd", zstd(PLAIN.as_bytes())),
        ("identity", PLAIN.as_bytes().to_vec()),
        ("gzip, deflate", zlib(&gzip(PLAIN.as_bytes()))),
        ("br, zstd, gzip", gzip(&zstd(BROTLI))),
        ("gzip", [gzip(b"hello, brotli. "), gzip(b"hello, brotli. hello!"), vec![0; 7]].concat()),
        ("zstd", [zstd(b"hello, brotli. "), SKIPPED.to_vec(), zstd(b"hello, brotli. hello!")].concat()),
    ] {
        let response = answer(coding, &body).unwrap();
        assert_eq!(text(&response), PLAIN, "{coding}");
        assert_eq!(response.headers.get("content-encoding"), Some(coding));
        assert_eq!(response.headers.get("content-length"), Some(body.len().to_string().as_str()));
    }
}

#[test]
fn a_long_body_is_undone_whole() {
    let plain = (0..3_000_000u32).map(|at| (at.wrapping_mul(2654435761) >> 24) as u8 % 90 + b' ').collect::<Vec<_>>();
    for (coding, body) in [("gzip", gzip(&plain)), ("deflate", zlib(&plain)), ("zstd", zstd(&plain))] {
        assert!(text(&answer(coding, &body).unwrap()).as_bytes() == plain, "{coding}");
    }
}

#[test]
fn the_charset_is_that_of_the_plain_body() {
    let body = gzip(b"caf\xe9");
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=latin1\r\nContent-Encoding: gzip\r\n\r\n";
    let server = Server::answering_once([head.as_bytes(), &body].concat());
    assert_eq!(text(&carry_out(get(&server.url("/"))).unwrap()), "café");
}

fn assert_as_it_came(coding: &str, body: &[u8]) {
    let response = answer(coding, body).unwrap();
    let came = match &response.content {
        Content::Text(text) => text.as_bytes(),
        Content::Bytes(bytes) => bytes,
        Content::Empty => b"",
    };
    assert_eq!((response.status, came), (200, body), "{coding}");
    let detail = response.detail.as_deref().unwrap();
    assert!(detail.starts_with("the body is not in its Content-Encoding: "), "{detail}");
}

#[test]
fn case_41_what_is_not_in_its_coding_is_stored_as_it_came() {
    let mut flipped = gzip(PLAIN.as_bytes());
    let end = flipped.len() - 6;
    flipped[end] ^= 1;
    for (coding, body) in [
        ("gzip", PLAIN.as_bytes().to_vec()),
        ("gzip", flipped),
        ("deflate", b"\xff\xff\xff".to_vec()),
        ("br", b"\xff\xff\xff\xff".to_vec()),
        ("zstd", PLAIN.as_bytes().to_vec()),
        ("gzip,gzip,gzip,gzip,gzip,gzip", b"x".to_vec()),
        ("gzip, br", BROTLI.to_vec()),
    ] {
        assert_as_it_came(coding, &body);
    }
    for (coding, body) in [
        ("gzip", gzip(PLAIN.as_bytes())),
        ("deflate", zlib(PLAIN.as_bytes())),
        ("deflate", raw_deflate(PLAIN.as_bytes())),
        ("br", BROTLI.to_vec()),
        ("zstd", zstd(PLAIN.as_bytes())),
    ] {
        for end in [1, body.len() / 2, body.len() - 1] {
            assert_as_it_came(coding, &body[..end]);
        }
    }
}

#[test]
fn there_may_be_many_parts_but_not_many_empty_ones() {
    let response = answer("gzip", &gzip(b"x").repeat(5000)).unwrap();
    assert_eq!(text(&response), "x".repeat(5000));
    let response = answer("zstd", &[SKIPPED, &zstd(b"x")].concat().repeat(500)).unwrap();
    assert_eq!(text(&response), "x".repeat(500));
    for (coding, part) in [("gzip", gzip(b"")), ("zstd", zstd(b"")), ("zstd", SKIPPED.to_vec())] {
        assert_eq!(answer(coding, &part.repeat(50)).unwrap().content, Content::Empty);
        let response = answer(coding, &part.repeat(100_000)).unwrap();
        assert!(response.detail.as_deref().unwrap().contains("too many empty"), "{:?}", response.detail);
    }
}

#[test]
fn no_body_is_none_in_any_coding() {
    assert_eq!(answer("gzip", b"").unwrap().content, Content::Empty);
    for head in ["HTTP/1.1 204 No Content", "HTTP/1.1 304 Not Modified"] {
        let server = Server::answering(format!("{head}\r\nContent-Encoding: gzip\r\n\r\n"));
        assert_eq!(carry_out(get(&server.url("/"))).unwrap().content, Content::Empty);
    }
    let server = Server::answering("HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 9\r\n\r\n");
    assert_eq!(carry_out(request(1, "HEAD", &server.url("/"), &[], "")).unwrap().content, Content::Empty);
}

#[test]
fn an_unknown_coding_is_left_alone() {
    let response = answer("aws-chunked, gzip", b"as it came").unwrap();
    assert_eq!(text(&response), "as it came");
}

#[test]
fn who_speaks_of_codings_or_ranges_gets_the_body_as_it_came() {
    let body = gzip(PLAIN.as_bytes());
    let server = Server::answering(reply("gzip", &body));
    for (name, value) in [("Accept-Encoding", "gzip"), ("accept-encoding", "identity"), ("Range", "bytes=0-99")] {
        let host = Host::new(Policy::default());
        let response = host.carry_out(request(1, "GET", &server.url("/"), &[(name, value)], "")).result.unwrap();
        assert_eq!(response.content, Content::Bytes(body.clone().into()), "{name}");
        let asked = server.requests().pop().unwrap().field("accept-encoding").map(str::to_owned);
        assert_eq!(asked.as_deref(), name.eq_ignore_ascii_case("accept-encoding").then_some(value));
    }
    // What was not asked for is undone, too.
    for (accept_encoding, asked) in [(false, None), (true, Some("gzip, deflate, br, zstd"))] {
        let host = Host::new(Policy { accept_encoding, ..Policy::default() });
        let response = host.get(&server.url("/"));
        assert_eq!((text(&response), response.detail.as_deref()), (PLAIN, None));
        assert_eq!(server.requests().pop().unwrap().field("accept-encoding"), asked);
    }
}

#[test]
fn others_are_served_while_a_long_body_is_decompressed() {
    let long = Server::answering(reply("gzip", &gzip(&vec![b'x'; 60 << 20])));
    let short = Server::answering(ok("short"));
    let host = Host::new(Policy::default());
    let keyed = |key, server: &Server| -> Request { request(key, "GET", &server.url("/"), &[], "") };
    host.submit(vec![keyed(1, &long)]);
    crate::servers::host::eventually("it is asked for", || !long.requests().is_empty());
    let mut done = Vec::new();
    while !done.contains(&1) {
        host.submit(vec![keyed(2, &short)]);
        let others = done.len() + 1;
        while done.len() < others {
            done.extend(host.next_batch().iter().map(|outcome| outcome.key));
        }
    }
    assert!(done.len() > 4, "{done:?}");
}
