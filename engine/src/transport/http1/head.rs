//! The head of an HTTP/1.1 reply as it stood on the wire (RFC 9112 §2).
//!
//! hyper frames the message; this reads the fields a second time, because hyper lower-cases names and drops the lines
//! that it does not like, while a stored reply shows what the server wrote.

use memchr::{memchr, memchr_iter};

use crate::message::outcome::Headers;

/// Why a head is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum HeadError {
    NoColon,
    Nul,
    FoldWithoutField,
}

impl HeadError {
    pub(crate) fn describe(self) -> &'static str {
        match self {
            Self::NoColon => "a header line without a colon",
            Self::Nul => "a NUL in the header",
            Self::FoldWithoutField => "a continuation line before the first header field",
        }
    }
}

/// Whether a line, with its end, is the empty one that closes a head.
pub(crate) fn is_blank(line: &[u8]) -> bool {
    matches!(line, b"\n" | b"\r\n")
}

/// Whether a head is that of an interim reply, which another one follows (RFC 9110 §15.2). 101 is none: it is final.
pub(crate) fn is_interim(head: &[u8]) -> bool {
    // "HTTP/1.1 103 ..."
    match head.get(8..12) {
        Some([b' ', status @ ..]) => status[0] == b'1' && status != b"101",
        _ => false,
    }
}

/// The fields of a head: status line, field lines, blank line.
///
/// What does no harm is kept as it is: an empty value, spaces in a name, control characters in a value. A folded value
/// (RFC 9112 §5.2) is joined with one space.
pub(crate) fn parse(head: &[u8]) -> Result<Headers, HeadError> {
    if memchr(0, head).is_some() {
        return Err(HeadError::Nul);
    }
    let mut headers = Headers::with_capacity(head.len());
    let mut lines = Lines { rest: head };
    lines.next(); // the status line
    let mut folded = Vec::new();
    let mut field = lines.next();
    while let Some(line) = field {
        if matches!(line.first(), Some(b' ' | b'\t')) {
            return Err(HeadError::FoldWithoutField);
        }
        let colon = memchr(b':', line).ok_or(HeadError::NoColon)?;
        let name = line[..colon].trim_ascii_end();
        let value = trim(&line[colon + 1..]);
        field = lines.next();
        if matches!(field.and_then(|next| next.first()), Some(b' ' | b'\t')) {
            folded.clear();
            folded.extend_from_slice(value);
            while let Some(next) = field.filter(|next| matches!(next.first(), Some(b' ' | b'\t'))) {
                folded.push(b' ');
                folded.extend_from_slice(trim(next));
                field = lines.next();
            }
            headers.push(name, trim(&folded));
        } else {
            headers.push(name, value);
        }
    }
    Ok(headers)
}

/// Without optional white space (RFC 9110 §5.6.3), which other control characters are not.
fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Lines without their ends, up to the blank one.
struct Lines<'a> {
    rest: &'a [u8],
}

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let end = memchr(b'\n', self.rest)?;
        let (line, rest) = self.rest.split_at(end + 1);
        if is_blank(line) {
            return None;
        }
        self.rest = rest;
        let line = &line[..end];
        Some(line.strip_suffix(b"\r").unwrap_or(line))
    }
}

/// Finds where the head of the final reply ends, in bytes that come bit by bit.
#[derive(Debug, Default)]
pub(crate) struct HeadScanner {
    head: Vec<u8>,
    /// Where the line begins that has not ended yet.
    line: usize,
}

impl HeadScanner {
    /// Takes the next bytes; true when the final head is complete. What lies behind it is not taken.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> bool {
        let mut taken = 0;
        for end in memchr_iter(b'\n', bytes) {
            self.head.extend_from_slice(&bytes[taken..=end]);
            taken = end + 1;
            if !is_blank(&self.head[self.line..]) {
                self.line = self.head.len();
            } else if self.line == 0 || is_interim(&self.head) {
                // Blank lines before the status line are skipped (RFC 9112 §2.2), and so are whole interim heads.
                self.clear();
            } else {
                return true;
            }
        }
        self.head.extend_from_slice(&bytes[taken..]);
        false
    }

    pub(crate) fn clear(&mut self) {
        self.head.clear();
        self.line = 0;
    }

    /// What there is of the head so far.
    pub(crate) fn head(&self) -> &[u8] {
        &self.head
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(head: &str) -> Vec<(String, String)> {
        let headers = parse(head.as_bytes()).unwrap();
        headers.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn odd_fields_are_kept() {
        assert_eq!(
            fields(
                "HTTP/1.1 200 OK\r\nMissingValue:\r\nSpaces In Header Name: x\r\nNonPrintableChars: a\x01\x02\r\n\
                 Content-Length : 5\nBare-LF:\t y \t\n\r\n"
            ),
            [
                pair("MissingValue", ""),
                pair("Spaces In Header Name", "x"),
                pair("NonPrintableChars", "a\x01\x02"),
                pair("Content-Length", "5"),
                pair("Bare-LF", "y"),
            ]
        );
    }

    #[test]
    fn folded_values_are_joined_with_one_space() {
        assert_eq!(
            fields("HTTP/1.1 200 OK\r\nA: one\r\n\ttwo \r\n   three\r\nB: x\r\nC:\r\n d\r\n\r\n"),
            [pair("A", "one two three"), pair("B", "x"), pair("C", "d")]
        );
    }

    #[test]
    fn heads_that_are_none() {
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nno colon here\r\n\r\n"), Err(HeadError::NoColon));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\n folded: x\r\n\r\n"), Err(HeadError::FoldWithoutField));
        assert_eq!(parse(b"HTTP/1.1 200 OK\r\nA: b\0c\r\n\r\n"), Err(HeadError::Nul));
    }

    #[test]
    fn the_final_head_is_found_however_the_bytes_are_cut() {
        let wire = b"\r\nHTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n\
            HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody\r\n\r\n";
        for size in 1..wire.len() {
            let mut scanner = HeadScanner::default();
            let complete = wire.chunks(size).position(|chunk| scanner.feed(chunk));
            assert!(complete.is_some(), "{size}");
            assert_eq!(scanner.head(), b"HTTP/1.1 200 OK\r\nA: b\r\n\r\n", "{size}");
        }
    }

    #[test]
    fn a_switch_of_protocols_is_final() {
        assert!(HeadScanner::default().feed(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"));
        assert!(!HeadScanner::default().feed(b"HTTP/1.1 100 Continue\r\n\r\n"));
    }
}
