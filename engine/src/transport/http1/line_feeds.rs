//! Chunks whose lines end in bare line feeds, without the carriage return that RFC 9112 §7.1 requires. libcurl takes
//! them and hyper does not: each line gets its carriage return. As with odd heads, the connection carries no further
//! request.

use memchr::{memchr, memmem};

use crate::transport::http1::leniency::{lines, named};

/// Bytes that the line with a chunk's size may have.
const MAX_LINE: usize = 4096;

/// The coding that comes last where a body is chunked.
const CHUNKED: &[u8] = b"chunked";

/// How the first line of a chunked body ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It has not come yet.
    Unknown,
    Usual,
    Bare,
}

impl Ending {
    pub(crate) fn of(body: &[u8]) -> Self {
        match memchr(b'\n', body) {
            Some(end) if !body[..end].ends_with(b"\r") => Self::Bare,
            None if body.len() <= MAX_LINE => Self::Unknown,
            _ => Self::Usual,
        }
    }
}

/// Whether a reply with this head has a chunked body, if it is not one to HEAD.
pub(crate) fn announces_chunks(head: &[u8]) -> bool {
    let status = head.get(9..12).unwrap_or_default();
    let has_body = matches!(status, [b'2'..=b'9', _, _]) && !matches!(status, b"204" | b"304");
    // Most have no such word in them.
    has_body
        && memmem::find(head, b"hunked").is_some()
        && lines(head).any(|line| {
            let value = named(line, b"transfer-encoding").map(|value| line[value..].trim_ascii_end());
            let coding = value.and_then(|value| value.get(value.len().checked_sub(CHUNKED.len())?..));
            coding.is_some_and(|coding| coding.eq_ignore_ascii_case(CHUNKED))
        })
}

/// Puts the carriage returns in.
#[derive(Debug, Default)]
pub(crate) struct Mender {
    place: Place,
    /// A line that has not ended.
    line: Vec<u8>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Size,
    Data(u64),
    /// Behind the bytes of a chunk.
    End,
    Trailer,
    /// Behind the last line, or where no sense can be made of it: all passes as it is.
    Beyond,
}

impl Mender {
    /// Takes the next bytes of the body, and appends to `mended` what becomes of them.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mended: &mut Vec<u8>) {
        while !bytes.is_empty() {
            let taken = match self.place {
                Place::Beyond => bytes.len(),
                Place::Data(left) => bytes.len().min(usize::try_from(left).unwrap_or(usize::MAX)),
                _ => memchr(b'\n', bytes).map_or(bytes.len(), |end| end + 1),
            };
            let (part, rest) = bytes.split_at(taken);
            bytes = rest;
            match self.place {
                Place::Beyond => mended.extend_from_slice(part),
                Place::Data(left) => {
                    mended.extend_from_slice(part);
                    let left = left - taken as u64;
                    self.place = if left == 0 { Place::End } else { Place::Data(left) };
                }
                _ => {
                    self.line.extend_from_slice(part);
                    if part.ends_with(b"\n") || self.line.len() > MAX_LINE {
                        self.end_line(mended);
                    }
                }
            }
        }
    }

    fn end_line(&mut self, mended: &mut Vec<u8>) {
        let line = std::mem::take(&mut self.line);
        let Some(text) = line.strip_suffix(b"\n").filter(|_| line.len() <= MAX_LINE) else {
            self.place = Place::Beyond;
            return mended.extend_from_slice(&line);
        };
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        self.place = match self.place {
            Place::Size => {
                size(text).map_or(Place::Beyond, |size| if size == 0 { Place::Trailer } else { Place::Data(size) })
            }
            Place::End if text.is_empty() => Place::Size,
            Place::Trailer if !text.is_empty() => Place::Trailer,
            _ => Place::Beyond,
        };
        mended.extend_from_slice(text);
        mended.extend_from_slice(b"\r\n");
    }
}

/// The size that a line begins with.
fn size(line: &[u8]) -> Option<u64> {
    let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
    u64::from_str_radix(std::str::from_utf8(&line[..digits]).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mended(body: &str, piece: usize) -> String {
        let (mut mender, mut mended) = (Mender::default(), Vec::new());
        body.as_bytes().chunks(piece).for_each(|piece| mender.feed(piece, &mut mended));
        String::from_utf8(mended).unwrap()
    }

    #[test]
    fn each_line_gets_what_it_lacks_however_the_bytes_come() {
        for (body, becomes) in [
            ("5\nhello\n0\n\n", "5\r\nhello\r\n0\r\n\r\n"),
            (
                "5;a=b\nh\nl\no\nA\r\n0123456789\r\n0\nX: y\n\n",
                "5;a=b\r\nh\nl\no\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n",
            ),
            // What makes no sense is for hyper to refuse.
            ("x\nhello\n", "x\r\nhello\n"),
            ("2\nhello\nx\n", "2\r\nhello\r\nx\n"),
            ("1\na\n0\n\nHTTP/1.1 200 OK\n", "1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK\n"),
        ] {
            for piece in 1..=body.len() {
                assert_eq!(mended(body, piece), becomes, "{body:?} in pieces of {piece}");
            }
        }
    }

    #[test]
    fn the_first_line_tells() {
        assert_eq!(Ending::of(b"5\nhello\n"), Ending::Bare);
        assert_eq!(Ending::of(b"5\r\nhello\n"), Ending::Usual);
        assert_eq!(Ending::of(b"5\r"), Ending::Unknown);
        assert_eq!(Ending::of(&[b'5'; MAX_LINE + 1]), Ending::Usual);
    }

    #[test]
    fn a_body_is_waited_for_where_there_may_be_one() {
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n";
        assert!(announces_chunks(chunked));
        assert!(!announces_chunks(b"HTTP/1.1 200 OK\r\nContent-Encoding: aws-chunked\r\nA: chunked\r\n\r\n"));
        for status in ["204", "304", "101"] {
            let head = format!("HTTP/1.1 {status} X\r\nTransfer-Encoding: chunked\r\n\r\n");
            assert!(!announces_chunks(head.as_bytes()));
        }
    }
}
