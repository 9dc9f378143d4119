use crate::case::{Case, End};

/// A reply with a field that tells, or should tell, its length.
fn with(name: &'static str, field: &str, body: &str, ours: &'static str, because: &'static str) -> Case {
    Case::new(name, format!("HTTP/1.1 200 OK\r\n{field}\r\n\r\n{body}"), ours, because)
}

// A table.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        Case::new("no length", "HTTP/1.1 200 OK\r\n\r\nhello", "200 \"hello\"", "it ends with the connection"),
        with("Content-Length too long", "Content-Length: 9", "hello", "partial", "the end is missing"),
        with(
            "Content-Length too short",
            "Content-Length: 2",
            "hello",
            "200 \"he\"",
            "the rest is no part of the reply",
        ),
        with("Content-Length 0 with a body", "Content-Length: 0", "hello", "200 empty", "the rest is no part of it"),
        with("a negative Content-Length", "Content-Length: -5", "hello", "weird_reply", "no length"),
        with(
            "Content-Length with a plus",
            "Content-Length: +5",
            "hello",
            "200 \"hello\"",
            "a number all the same; but the connection carries no more",
        ),
        with("Content-Length in hex", "Content-Length: 0x5", "hello", "weird_reply", "digits only (RFC 9110 §8.6)")
            .unlike_curl("curl parses numbers leniently, and reads 0"),
        with("Content-Length that is no number", "Content-Length: five", "hello", "weird_reply", "no length"),
        with("an empty Content-Length", "Content-Length:", "hello", "weird_reply", "no length"),
        with(
            "Content-Length in white space",
            "Content-Length: \t 5 \t",
            "hello",
            "200 \"hello\"",
            "white space is trimmed",
        ),
        with(
            "Content-Length beyond 64 bits",
            "Content-Length: 99999999999999999999",
            "hello",
            "weird_reply",
            "no length that fits",
        )
        .unlike_curl("curl ignores the length and reads to the end"),
        with(
            "Content-Length beyond the limit",
            "Content-Length: 99999999999",
            "hello",
            "too_large",
            "refused before it comes",
        )
        .unlike_curl("curl has no limit here and sees the end missing"),
        with(
            "the same Content-Length twice",
            "Content-Length: 5\r\nContent-Length: 5",
            "hello",
            "200 \"hello\"",
            "they agree",
        ),
        with("the same Content-Length as a list", "Content-Length: 5, 5", "hello", "200 \"hello\"", "they agree"),
        with(
            "two different Content-Lengths",
            "Content-Length: 5\r\nContent-Length: 3",
            "hello",
            "weird_reply",
            "a way to smuggle",
        )
        .unlike_curl("curl takes the last one"),
        Case::new(
            "204 with a body",
            "HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\nhello",
            "204 empty",
            "204 has none",
        ),
        Case::new(
            "304 with a length",
            "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n",
            "304 empty",
            "304 has no body",
        )
        .ends(End::KeepOpen),
        Case::new(
            "205 with a body",
            "HTTP/1.1 205 Reset Content\r\nContent-Length: 5\r\n\r\nhello",
            "205 \"hello\"",
            "it came",
        ),
        Case::new(
            "HTTP/1.0 without keep-alive",
            "HTTP/1.0 200 OK\r\n\r\nhello",
            "200 \"hello\"",
            "it ends with the connection",
        ),
        Case::new(
            "HTTP/1.0 with keep-alive",
            "HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nhello",
            "200 \"hello\"",
            "its length tells the end",
        )
        .ends(End::KeepOpen),
    ]
}
