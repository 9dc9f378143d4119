use crate::case::{Case, Way};

const OURS: &str = "what describes connection and framing is ours, and left out";

// A table.
pub(crate) fn cases() -> Vec<Case> {
    const HTTP1: &[Way] = &[Way::Http1];
    const JSON: (&str, &str) = ("Content-Type", "application/json");
    vec![
        Case::with(&[]),
        Case::with(&[("X-Api-Key", "k"), ("SOAPAction", "a"), ("x-low", "l")]),
        Case::with(&[("X-UPPER", "1"), ("x_under", "2"), ("X.Dot", "3"), ("X!#$%&'*+^`|~", "4")]),
        Case::with(&[("A", "1"), ("a", "2")]),
        Case::with(&[("X-One", "1"), ("X-Two", "2"), ("x-one", "3")])
            .over_http2("our HTTP/2 library sends fields of one name together"),
        Case::with(&[("Accept", "text/html")]),
        Case::with(&[("accept", "text/html"), ("X", "y")]),
        Case::with(&[("ACCEPT", "")]),
        Case::with(&[("Accept", "")]),
        Case::with(&[("Accept", "  ")]),
        Case::with(&[("User-Agent", "mine/1")]),
        Case::with(&[("USER-AGENT", "mine/1"), ("Accept", "a/b")]),
        Case::with(&[("User-Agent", "")]),
        Case::with(&[("X-Empty", "")]),
        Case::with(&[("X-Empty", ""), ("X-Full", "1")]),
        Case::with(&[("Accept-Encoding", "gzip")]),
        Case::with(&[("Accept-Encoding", "")]),
        Case::with(&[("Content-Type", "")]),
        Case::with(&[("Host", "example.com")]),
        Case::with(&[("X-Before", "1"), ("HOST", "example.com:81"), ("X-Behind", "2")]),
        Case::with(&[("host", "Example.COM")]),
        Case::with(&[("Host", "")]).explained("a request has a Host (RFC 9112 §3.2); curl leaves it out"),
        Case::with(&[("Host", "a"), ("host", "b")]).refused("two hosts: nobody knows which one is meant"),
        Case::with(&[("Authorization", "Bearer a.b.c")]),
        Case::with(&[("Cookie", "a=b; c=d")]),
        Case::with(&[("Referer", "http://a/"), ("Range", "bytes=0-1"), ("If-None-Match", "\"a\"")]),
        Case::with(&[("X-Spaces", "  a  b  ")])
            .over_http2("white space at either end is against RFC 9113 §8.2.1; curl leaves out what is in front"),
        Case::with(&[("X-Tab", "a\tb")]),
        Case::with(&[("X-Utf-8", "é日")]),
        Case::with(&[("X-Quotes", "\"a\" 'b' \\c")]),
        Case::with(&[("X-Colon", "a: b"), ("X-Semicolon", ";"), ("X-Comma", ",")]),
        Case::with(&[("Content-Length", "5")]).explained(OURS),
        Case::with(&[("Connection", "close")]).explained(OURS),
        Case::with(&[("Connection", "Keep-Alive, X"), ("Keep-Alive", "timeout=5")]).explained(OURS),
        Case::with(&[("TE", "trailers"), ("Trailer", "X"), ("Upgrade", "websocket")]).over(HTTP1).explained(OURS),
        Case::with(&[("Proxy-Connection", "close")]).over(HTTP1).explained(OURS),
        Case::with(&[JSON]).method("POST", "{}"),
        Case::with(&[("content-type", "text/plain; charset=utf-8"), ("X-Behind", "1")]).method("POST", "hé"),
        Case::with(&[JSON]).method("POST", ""),
        Case::with(&[("Content-Type", ""), ("X", "1")]).method("POST", "a=b"),
        Case::with(&[])
            .method("POST", "a=b")
            .explained("curl takes any body for a form; ours has the type that the caller names"),
        Case::with(&[JSON]).method("PUT", "{\"a\": 1}"),
        Case::with(&[JSON]).method("PATCH", "[]"),
        Case::with(&[JSON]).method("DELETE", "{}"),
        Case::with(&[]).method("DELETE", ""),
        Case::with(&[("X-Method", "1")])
            .method("PURGE", "")
            .over_http2("our HTTP/2 library says of methods that it does not know that there is no body"),
        Case::with(&[JSON]).method("GET", "{}"),
        Case::with(&[JSON, ("Content-Length", "1"), ("Transfer-Encoding", "chunked")])
            .method("POST", "{}")
            .over(HTTP1)
            .explained(OURS),
    ]
}
