//! Replies: text in its charset, compressed bodies, repeated headers, interim replies.

use std::process::Command;

use serde_json::json;
use testkit::{Apache, Authority, Call, HaProxy};

use super::{header, trusting};
use crate::fixture::Fixture;

#[test]
fn text_is_decoded_by_the_charset_that_apache_names() {
    let authority = Authority::new();
    let apache = Apache::start(&authority);
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    apache.put("/a.txt.latin1", b"caf\xe9");
    apache.put("/a.txt.sjis", b"\x93\xfa\x96\x7b");
    for url in [apache.url(""), apache.tls_url("")] {
        for (path, charset, text) in [("/a.txt.latin1", "iso-8859-1", "café"), ("/a.txt.sjis", "shift_jis", "日本")]
        {
            let answer = fixture.get_url(&format!("{url}{path}"));
            assert_eq!((answer.status_code, answer.text()), (Some(200), text));
            assert_eq!(answer.content_type.unwrap(), format!("text/plain; charset={charset}"));
        }
    }
}

#[test]
fn bodies_are_decompressed_whoever_compressed_them() {
    let authority = Authority::new();
    let (apache, mut fixture) = (
        Apache::start(&authority),
        Fixture::with(trusting(&authority).conf("pg_net.accept_encoding", "on").start_ready()),
    );
    let haproxy = HaProxy::start(&authority, fixture.receiver.port());
    let text = "x".repeat(20_000);
    for path in ["/gzip/a.txt", "/br/a.txt", "/a.txt"] {
        apache.put(path, text.as_bytes());
    }
    let files = [apache.path("/a.txt"), apache.path("/a.txt.zst")];
    let compressed = Command::new("zstd").arg("-q").arg(&files[0]).arg("-o").arg(&files[1]).status();
    assert!(compressed.unwrap().success());
    let big = "/big?bytes=20000";
    for (coding, urls) in [
        ("gzip", [apache.url("/gzip/a.txt"), apache.tls_url("/gzip/a.txt")]),
        ("br", [apache.url("/br/a.txt"), apache.tls_url("/br/a.txt")]),
        ("zstd", [apache.url("/a.txt.zst"), apache.tls_url("/a.txt.zst")]),
        ("deflate", [haproxy.url(big), haproxy.tls_url(big)]),
    ] {
        for url in urls {
            let answer = fixture.get_url(&url);
            assert_eq!(
                (answer.status_code, header(&answer, "Content-Encoding").as_str()),
                (Some(200), coding),
                "{url}"
            );
            assert_eq!(answer.text(), text, "{url}");
            // Who asks for a coding gets it as it comes.
            let asked = fixture.fetch(Call::get(&url).header("Accept-Encoding", coding));
            assert_eq!((header(&asked, "Content-Encoding").as_str(), &asked.content), (coding, &None), "{url}");
            assert!(fixture.bytes(&asked).unwrap().len() < 1000, "{url}");
        }
    }
}

#[test]
fn cookies_of_apaches_are_an_array() {
    let authority = Authority::new();
    let apache = Apache::start(&authority);
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    apache.put("/cookies/a.txt", b"text");
    for (name, url) in [("Set-Cookie", apache.url("/cookies/a.txt")), ("set-cookie", apache.tls_url("/cookies/a.txt"))]
    {
        assert_eq!(fixture.get_url(&url).header(name), &json!(["a=1", "b=2"]));
    }
}

#[test]
fn early_hints_of_haproxys_are_passed_over() {
    let authority = Authority::new();
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    let haproxy = HaProxy::start(&authority, fixture.receiver.port());
    for url in [haproxy.url("/hints/1"), haproxy.tls_url("/hints/2")] {
        let answer = fixture.get_url(&url);
        assert_eq!((answer.status_code, answer.text()), (Some(200), "ok"));
        assert_eq!(answer.headers.unwrap().get("link"), None);
    }
    let protocols = haproxy.wait_for(2).into_iter().map(|request| request.protocol).collect::<Vec<_>>();
    assert_eq!(protocols, ["HTTP/1.1", "HTTP/2.0"]);
}

/// HAProxy passes them on, in HTTP/2 as a frame of their own.
#[test]
fn trailers_are_left_out() {
    let authority = Authority::new();
    let mut fixture = Fixture::with(trusting(&authority).start_ready());
    let haproxy = HaProxy::start(&authority, fixture.receiver.port());
    let reply =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 1\r\n\r\n";
    fixture.receiver.script("/trailers", vec![reply.into()]);
    for url in [haproxy.url("/trailers"), haproxy.tls_url("/trailers")] {
        let answer = fixture.get_url(&url);
        assert_eq!((answer.status_code, answer.text()), (Some(200), "ok"), "{url}");
        let names =
            answer.headers.unwrap().as_object().unwrap().keys().map(|name| name.to_lowercase()).collect::<Vec<_>>();
        assert!(!names.contains(&"x-sum".to_owned()), "{names:?}");
    }
}

#[test]
fn the_size_of_a_body_counts_as_decompressed() {
    let authority = Authority::new();
    let apache = Apache::start(&authority);
    let limit = 1 << 20;
    let builder = trusting(&authority).conf("pg_net.max_response_bytes", "1MB").conf("pg_net.accept_encoding", "on");
    let mut fixture = Fixture::with(builder.start_ready());
    for directory in ["/gzip", "/br"] {
        for (name, length, within) in [("fits.txt", limit, true), ("not.txt", limit + 1, false)] {
            apache.put(&format!("{directory}/{name}"), &vec![b'x'; length]);
            for url in [apache.url(directory), apache.tls_url(directory)] {
                let answer = fixture.get_url(&format!("{url}/{name}"));
                let too_large = "Response is larger than 1048576 bytes (pg_net.max_response_bytes)";
                assert_eq!(answer.error_msg.as_deref(), (!within).then_some(too_large), "{url}/{name}");
                assert_eq!(answer.content.map(|text| text.len()), within.then_some(length), "{url}/{name}");
            }
        }
    }
}
