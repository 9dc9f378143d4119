use std::io::Write;

use flate2::Compression;
use flate2::write::{DeflateEncoder, GzEncoder};

use crate::case::Case;

fn body(name: &'static str, fields: &str, body: impl AsRef<[u8]>, ours: &'static str, because: &'static str) -> Case {
    let body = body.as_ref();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n{fields}\r\n\r\n", body.len());
    Case::new(name, [head.as_bytes(), body].concat(), ours, because)
}

fn gzip(plain: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn raw_deflate(plain: &str) -> Vec<u8> {
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(plain.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

// A table.
pub(crate) fn cases() -> Vec<Case> {
    const ASKED: &str = "curl fails where it undoes codings; where it does not ask for any, it stores what came";
    const GZIP: &str = "Content-Encoding: gzip";
    let whole = gzip("hello");
    let mut wrong_sum = whole.clone();
    let sum = whole.len() - 8;
    wrong_sum[sum] ^= 1;
    vec![
        body("a NUL in the body", "A: b", "a\0b", "200 3 bytes", "no text that can be stored; not a byte is lost"),
        body(
            "no UTF-8, and no charset named",
            "Content-Type: text/plain",
            b"caf\xe9",
            "200 4 bytes",
            "we do not guess",
        ),
        body(
            "an unknown charset",
            "Content-Type: text/plain; charset=martian",
            "hello",
            "200 \"hello\"",
            "taken as UTF-8",
        ),
        body(
            "bytes that the charset lacks",
            "Content-Type: text/plain; charset=utf-8",
            b"a\xff",
            "200 2 bytes",
            "no such text",
        ),
        body("gzip that breaks off", GZIP, &whole[..whole.len() / 2], "200 12 bytes", "the end is missing: as it came"),
        body(
            "gzip without its trailer",
            GZIP,
            &whole[..whole.len() - 8],
            "200 17 bytes",
            "the end is missing: as it came",
        ),
        body("gzip with a wrong checksum", GZIP, wrong_sum, "200 25 bytes", "not what was compressed: as it came")
            .unlike_curl(ASKED),
        body("gzip that is none", GZIP, "hello", "200 \"hello\"", "stored as it came").unlike_curl(ASKED),
        body(
            "gzip with garbage behind it",
            GZIP,
            [&whole[..], b"garbage"].concat(),
            "200 \"hello\"",
            "some servers pad",
        )
        .unlike_curl("curl calls it an error in writing"),
        body(
            "gzip twice in a row",
            GZIP,
            [gzip("hel"), gzip("lo")].concat(),
            "200 \"hello\"",
            "members follow each other (RFC 1952)",
        )
        .unlike_curl("curl knows one member only, and calls it an error in writing"),
        body("gzip of nothing at all", GZIP, "", "200 empty", "no body has no coding"),
        body(
            "deflate without zlib's header",
            "Content-Encoding: deflate",
            raw_deflate("hello"),
            "200 \"hello\"",
            "widespread",
        ),
        body(
            "an unknown coding",
            "Content-Encoding: martian",
            "hello",
            "200 \"hello\"",
            "stored as it came, the header says what it is",
        )
        .unlike_curl("curl fails; before codings were asked for, such replies were stored"),
        body(
            "six codings",
            "Content-Encoding: gzip, gzip, gzip, gzip, gzip, gzip",
            &whole,
            "200 25 bytes",
            "five are more than anyone needs: as it came",
        )
        .unlike_curl(ASKED),
    ]
}
