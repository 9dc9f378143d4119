use crate::case::{Case, End};

/// A reply with this status line.
fn line(name: &'static str, line: &str, ours: &'static str, because: &'static str) -> Case {
    Case::new(name, format!("{line}\r\nContent-Length: 2\r\n\r\nhi"), ours, because)
}

// A table.
pub(crate) fn cases() -> Vec<Case> {
    const NO_HTTP: &str = "not HTTP";
    const HTTP_0_9: &str = "curl fails too: it takes what it cannot read for HTTP/0.9, which it does not accept";
    vec![
        line("an empty reason", "HTTP/1.1 200 ", "200 \"hi\"", "reasons may be empty"),
        line("no reason and no space for it", "HTTP/1.1 200", "200 \"hi\"", "usual, if wrong"),
        line("a reason of high bytes", "HTTP/1.1 200 Très bien", "200 \"hi\"", "reasons are not looked at"),
        line("a NUL in the reason", "HTTP/1.1 200 O\0K", "weird_reply", "no NUL in a head"),
        line("status 099", "HTTP/1.1 099 Odd", "weird_reply", "no status").unlike_curl(HTTP_0_9),
        line("status 000", "HTTP/1.1 000 Odd", "weird_reply", "no status").unlike_curl(HTTP_0_9),
        line("status 999", "HTTP/1.1 999 Odd", "999 \"hi\"", "taken as an unknown error (RFC 9110 §15)"),
        line("status 600", "HTTP/1.1 600 Odd", "600 \"hi\"", "taken as an unknown error (RFC 9110 §15)"),
        line("status 1000", "HTTP/1.1 1000 Odd", "weird_reply", "no status").unlike_curl(HTTP_0_9),
        line("status 20", "HTTP/1.1 20 OK", "weird_reply", "no status").unlike_curl(HTTP_0_9),
        line("a status in words", "HTTP/1.1 two hundred", "weird_reply", "no status").unlike_curl(HTTP_0_9),
        line("HTTP/1.2", "HTTP/1.2 200 OK", "weird_reply", "no such version").unlike_curl(HTTP_0_9),
        line("HTTP/2 in text", "HTTP/2 200 OK", "weird_reply", "HTTP/2 has no status line")
            .unlike_curl("curl reads the status line of any version that it knows"),
        line("HTTP/3.0 in text", "HTTP/3.0 200 OK", "weird_reply", "HTTP/3 has no status line").unlike_curl(HTTP_0_9),
        line(
            "a version in lower case",
            "http/1.1 200 OK",
            "200 \"hi\"",
            "harmless where the connection carries no more",
        ),
        line(
            "two spaces before the status",
            "HTTP/1.1  200 OK",
            "200 \"hi\"",
            "harmless where the connection carries no more",
        ),
        line("a tab before the status", "HTTP/1.1\t200 OK", "weird_reply", "one space (RFC 9112 §4)")
            .unlike_curl(HTTP_0_9),
        line("a space before the version", " HTTP/1.1 200 OK", "weird_reply", NO_HTTP).unlike_curl(HTTP_0_9),
        line("ICY, as radio stations say", "ICY 200 OK", "weird_reply", NO_HTTP).unlike_curl(HTTP_0_9),
        Case::new("HTTP/0.9", "<html>hello</html>", "weird_reply", "anything at all would be a reply")
            .unlike_curl(HTTP_0_9),
        Case::new("an HTTP/2 server", b"\0\0\x06\x04\0\0\0\0\0\0\x03\0\0\0\x64", "weird_reply", NO_HTTP)
            .unlike_curl(HTTP_0_9)
            .ends(End::KeepOpen),
        Case::new("HTTP/2's preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "weird_reply", NO_HTTP).unlike_curl(HTTP_0_9),
        Case::new("a TLS alert", b"\x15\x03\x01\0\x02\x02\x0a", "weird_reply", NO_HTTP).unlike_curl(HTTP_0_9),
        Case::new("garbage", b"\x80\xff\r\n\r\n\xfe", "weird_reply", NO_HTTP).unlike_curl(HTTP_0_9),
        Case::new("a greeting", "220 mail.example ESMTP\r\n", "weird_reply", NO_HTTP).unlike_curl(HTTP_0_9),
        Case::new("a version alone", "HTTP/1.1\r\n\r\n", "weird_reply", "no status").unlike_curl(HTTP_0_9),
        Case::new(
            "100 and then the reply",
            "HTTP/1.1 100 Continue\r\nA: b\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "200 \"hi\"",
            "interim replies are skipped",
        ),
        Case::new(
            "50 hints and then the reply",
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(50)
                + "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            "200 \"hi\"",
            "interim replies are skipped",
        ),
        Case::new("100 for ever", "HTTP/1.1 100 Continue\r\n\r\n", "timeout", "no reply comes").ends(End::Repeat),
        Case::new("100 and then the end", "HTTP/1.1 100 Continue\r\n\r\n", "partial", "an interim reply is none")
            .unlike_curl("curl fails too, and says that nothing came"),
        Case::new(
            "101, which we did not ask for",
            "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
            "weird_reply",
            "we speak no other protocol",
        )
        .unlike_curl("curl fails too: it waits for another reply, and says that nothing came"),
    ]
}
