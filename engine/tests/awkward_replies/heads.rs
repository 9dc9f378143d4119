use crate::case::{Case, End};

/// A reply with this between status line and blank line.
fn head(name: &'static str, lines: impl AsRef<[u8]>, ours: &'static str, because: &'static str) -> Case {
    let reply = [b"HTTP/1.1 200 OK\r\n", lines.as_ref(), b"Content-Length: 2\r\n\r\nhi"].concat();
    Case::new(name, reply, ours, because).ends(End::KeepOpen)
}

fn many(count: usize) -> String {
    (0..count).map(|at| format!("X-{at}: {at}\r\n")).collect()
}

pub(crate) fn cases() -> Vec<Case> {
    let long = format!("X: {}\r\n", "x".repeat(90 << 10));
    let too_long = format!("X: {}\r\n", "x".repeat(400 << 10));
    vec![
        head("a folded value", "A: one\r\n  two\r\n\tthree\r\n", "200 \"hi\"", "joined with spaces (RFC 9112 §5.2)")
            .with_field("a", "one two three"),
        head("a fold before the first field", " folded\r\n", "weird_reply", "nothing to join it to"),
        head("bare line feeds", "A: b\nC: d\n", "200 \"hi\"", "a recipient may take them (RFC 9112 §2.2)")
            .with_field("c", "d"),
        head("a bare carriage return in a value", "A: b\rC: d\r\n", "weird_reply", "a way to smuggle (RFC 9112 §2.2)")
            .unlike_curl("curl takes it for part of the value"),
        head("a line without a colon", "nonsense\r\n", "weird_reply", "no field"),
        head("a colon first", ": b\r\n", "200 \"hi\"", "an empty name does no harm").with_field("", "b"),
        head("a space before the colon", "A : b\r\n", "200 \"hi\"", "harmless in a reply").with_field("a", "b"),
        head("spaces in a name", "A name: b\r\n", "200 \"hi\"", "harmless, and kept").with_field("a name", "b"),
        head("a tab in a name", "A\tname: b\r\n", "200 \"hi\"", "harmless, and kept").with_field("a\tname", "b"),
        head("an empty value", "A:\r\n", "200 \"hi\"", "values may be empty").with_field("a", ""),
        head("control characters in a value", "A: b\x01\x02\r\n", "200 \"hi\"", "harmless, and kept")
            .with_field("a", "b\x01\x02"),
        head("a NUL in a value", "A: b\0c\r\n", "weird_reply", "cannot be stored, and C programs cut there"),
        head("a NUL in a name", "A\0b: c\r\n", "weird_reply", "cannot be stored, and C programs cut there"),
        head("Latin-1 in a value", b"A: caf\xe9\r\n", "200 \"hi\"", "what is no UTF-8 is Latin-1")
            .with_field("a", "café"),
        head("UTF-8 in a value", "A: café\r\n", "200 \"hi\"", "what it is in practice").with_field("a", "café"),
        head("UTF-8 in a name", "Café: b\r\n", "200 \"hi\"", "harmless, and kept").with_field("Café", "b"),
        head("200 fields", many(200), "200 \"hi\"", "many, but bounded").with_field("x-199", "199"),
        head("900 fields", many(900), "200 \"hi\"", "many, but bounded").with_field("x-899", "899"),
        head("1100 fields", many(1100), "weird_reply", "no honest reply has more than 1000")
            .unlike_curl("curl 7.88 limits the bytes of a head only"),
        head("a value of 90 KiB", long, "200 \"hi\"", "long, but bounded"),
        head("a value of 400 KiB", too_long, "weird_reply", "no honest reply has a head of more than 300 KiB")
            .unlike_curl("curl fails too, and calls it out of memory"),
        head("a line of spaces", "A: b\r\n   \r\n", "200 \"hi\"", "a fold with nothing in it").with_field("a", "b"),
        Case::new(
            "two content types",
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=latin1\r\nContent-Type: text/html\r\n\r\ncaf\u{e9}",
            "200 \"cafÃ©\"",
            "the first one counts",
        ),
        Case::new(
            "line feeds only",
            "HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
            "200 \"hi\"",
            "may be taken (RFC 9112 §2.2)",
        ),
        Case::new("carriage returns only", "HTTP/1.1 200 OK\rContent-Length: 2\r\rhi", "weird_reply", "no line ends")
            .unlike_curl("curl fails too, and says that nothing came"),
        Case::new(
            "blank lines first",
            "\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "200 \"hi\"",
            "left over by others",
        )
        .unlike_curl("curl takes them for HTTP/0.9"),
    ]
}
