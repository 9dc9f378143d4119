use crate::case::{Case, End};

const END: &str = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nend";

/// A redirect, and behind it a plain reply to whatever is asked next.
fn to(name: &'static str, location: impl AsRef<[u8]>, ours: &'static str, because: &'static str) -> Case {
    let reply = [b"HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: ", location.as_ref(), b"\r\n\r\n"].concat();
    Case::new(name, reply, ours, because).then(END).ends(End::KeepOpen)
}

fn with_status(name: &'static str, status: &str, ours: &'static str, because: &'static str) -> Case {
    let reply = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: /end\r\n\r\n");
    Case::new(name, reply, ours, because).then(END).ends(End::KeepOpen)
}

pub(crate) fn cases() -> Vec<Case> {
    let itself = "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /start\r\n\r\n";
    let other = "HTTP/1.1 301 Moved\r\nConnection: close\r\nContent-Length: 0\r\nLocation: /other\r\n\r\n";
    const SCHEME: &str = "only http and https are followed";
    vec![
        Case::new("a redirect to itself", itself, "too_many_redirects", "30 are enough").ends(End::KeepOpen),
        Case::new("a loop that closes", other, "too_many_redirects", "30 are enough"),
        to("Location: a path", "/end", "200 \"end\"", "relative to the URL"),
        to("Location: a name", "end", "200 \"end\"", "relative to the URL"),
        to("Location: a query", "?a=b", "200 \"end\"", "relative to the URL"),
        to("Location: with a fragment", "/end#part", "200 \"end\"", "the fragment is not sent"),
        to("Location: only a fragment", "#part", "200 \"end\"", "the same URL again"),
        to("Location: many dots", "/a/../../../end", "200 \"end\"", "there is nothing above the root"),
        to("Location: with spaces", "/the end", "200 \"end\"", "spaces are encoded"),
        to("Location: in UTF-8", "/fin/é", "200 \"end\"", "encoded byte for byte"),
        to("Location: in Latin-1", b"/fin/\xe9", "200 \"end\"", "encoded byte for byte"),
        to("Location: with a tab", "/a\tb", "bad_redirect", "control characters are in no URL"),
        to("Location: without a scheme", "//{address}/end", "200 \"end\"", "that of the URL"),
        to("Location: with a password", "http://user:password@{address}/end", "200 \"end\"", "as in any URL"),
        to("Location: with backslashes", "\\end", "200 \"end\"", "bytes like others"),
        to("Location: empty", "", "302 empty", "leads nowhere"),
        to("Location: without a host", "http://", "bad_redirect", "no URL"),
        to("Location: with a bad port", "http://127.0.0.1:99999/", "bad_redirect", "no URL"),
        to("Location: ftp", "ftp://127.0.0.1/", "bad_redirect", SCHEME),
        to("Location: file", "file:///etc/passwd", "bad_redirect", SCHEME),
        to("Location: javascript", "javascript:alert(1)", "bad_redirect", SCHEME),
        Case::new(
            "two Locations",
            "HTTP/1.1 302 Found\r\nContent-Length: 0\r\nLocation: /one\r\nLocation: /two\r\n\r\n",
            "200 \"end\"",
            "the first one counts",
        )
        .then(END)
        .ends(End::KeepOpen),
        Case::new(
            "no Location",
            "HTTP/1.1 302 Found\r\nContent-Length: 2\r\n\r\nhi",
            "302 \"hi\"",
            "an ordinary reply",
        ),
        Case::new(
            "a redirect whose body breaks off",
            "HTTP/1.1 302 Found\r\nContent-Length: 9\r\nLocation: /end\r\n\r\nhello",
            "200 \"end\"",
            "its body is of no interest",
        )
        .then(END),
        with_status("201 with a Location", "201 Created", "201 empty", "no redirect"),
        with_status(
            "300 with a Location",
            "300 Multiple Choices",
            "200 \"end\"",
            "any 3xx with a Location is followed",
        ),
        with_status("304 with a Location", "304 Not Modified", "200 \"end\"", "any 3xx with a Location is followed"),
        with_status("305 with a Location", "305 Use Proxy", "200 \"end\"", "any 3xx with a Location is followed"),
        with_status("399 with a Location", "399 Odd", "200 \"end\"", "any 3xx with a Location is followed"),
    ]
}
