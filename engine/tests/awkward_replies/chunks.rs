use crate::case::Case;

/// A chunked reply.
fn chunked(name: &'static str, body: &str, ours: &'static str, because: &'static str) -> Case {
    Case::new(name, format!("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{body}"), ours, because)
}

// A table.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        chunked("chunk extensions", "5;a=b;c=\"d\"\r\nhello\r\n0;e\r\n\r\n", "200 \"hello\"", "they are to be ignored"),
        chunked("trailers", "5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n", "200 \"hello\"", "trailers are no part of the head"),
        chunked("upper-case hex", "A\r\n0123456789\r\n0\r\n\r\n", "200 \"0123456789\"", "hex is hex"),
        chunked(
            "leading zeros in a chunk size",
            "0005\r\nhello\r\n000\r\n\r\n",
            "200 \"hello\"",
            "it is still a number",
        ),
        chunked("one byte a chunk", "1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", "200 \"hi\"", "chunks may be short"),
        chunked("a chunk of 2^64-1 bytes", "FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n", "partial", "it ended before that")
            .unlike_curl("curl's counter has 63 bits, and it stops at the size"),
        chunked(
            "a chunk size of 17 digits",
            "10000000000000000\r\nhello\r\n0\r\n\r\n",
            "receive",
            "no number that fits",
        ),
        chunked("no last chunk", "5\r\nhello\r\n", "partial", "the end is missing"),
        chunked("half a chunk", "A\r\nhello", "partial", "the end is missing"),
        chunked("half a chunk size", "1", "partial", "the end is missing"),
        chunked("no blank line after the last chunk", "5\r\nhello\r\n0\r\n", "partial", "the end is missing"),
        chunked("a chunk size that is no hex", "xyz\r\nhello\r\n0\r\n\r\n", "receive", "the framing is lost"),
        chunked("a negative chunk size", "-5\r\nhello\r\n0\r\n\r\n", "receive", "the framing is lost"),
        chunked("no chunk size", "\r\nhello\r\n0\r\n\r\n", "receive", "the framing is lost"),
        chunked("more bytes than the chunk size says", "3\r\nhello\r\n0\r\n\r\n", "receive", "the framing is lost"),
        chunked("no line break after a chunk", "5\r\nhello0\r\n\r\n", "receive", "the framing is lost"),
        chunked(
            "bare line feeds between chunks",
            "5\nhello\n0\n\n",
            "200 \"hello\"",
            "harmless where the connection carries no more",
        ),
        chunked("a space behind the chunk size", "5 \r\nhello\r\n0 \r\n\r\n", "200 \"hello\"", "harmless padding"),
        chunked("garbage behind the last chunk", "5\r\nhello\r\n0\r\n\r\ngarbage", "200 \"hello\"", "it is not read"),
        chunked("a trailer without a colon", "5\r\nhello\r\n0\r\nnonsense\r\n\r\n", "receive", "the framing is lost")
            .unlike_curl("curl fails too, and blames an argument of a function"),
        Case::new(
            "no byte of a chunked body",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
            "partial",
            "the end is missing",
        ),
        Case::new(
            "both length headers, Content-Length first",
            "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "200 \"hello\"",
            "Transfer-Encoding outranks (RFC 9112 §6.3)",
        ),
        Case::new(
            "both length headers, Transfer-Encoding first",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 300\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "200 \"hello\"",
            "Transfer-Encoding outranks (RFC 9112 §6.3)",
        ),
        Case::new(
            "Transfer-Encoding in mixed case",
            "HTTP/1.1 200 OK\r\ntransfer-ENCODING: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "200 \"hello\"",
            "names of codings have no case",
        ),
        Case::new(
            "Transfer-Encoding: identity",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\nhello",
            "200 \"hello\"",
            "not chunked: it ends with the connection",
        ),
        Case::new(
            "Transfer-Encoding: gzip, which we did not ask for",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\nhello",
            "200 \"hello\"",
            "not chunked: it ends with the connection, as it came",
        )
        .unlike_curl("curl decompresses transfer codings that it did not ask for"),
        Case::new(
            "chunked over HTTP/1.0",
            "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
            "200 \"hello\"",
            "who sends them speaks HTTP/1.1; but the connection carries no more",
        ),
    ]
}
