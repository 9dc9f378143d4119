//! Cuts and encodes the text of a URL as libcurl does: what is not named here is sent byte for byte.
//!
//! The URL standard (<https://url.spec.whatwg.org>), which rewrites paths and queries, decides about the authority
//! only. A text is therefore cut here first, and refused if the two could disagree on which part is the host.

use std::borrow::Cow;
use std::fmt::Write;

/// A URL's parts as they stand in the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Parts<'a> {
    pub(crate) scheme: &'a str,
    /// User name and password, host and port.
    pub(crate) authority: &'a str,
    /// Path, query and fragment.
    pub(crate) rest: &'a str,
}

/// Why a text is not cut.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum CutError {
    NoScheme,
    OtherScheme,
    Malformed(&'static str),
}

/// The scheme of a text, if it begins with one and a colon (RFC 3986 §3.1).
pub(crate) fn scheme(text: &str) -> Option<&str> {
    let (scheme, _) = text.split_once(':')?;
    let mut bytes = scheme.bytes();
    let valid = bytes.next()?.is_ascii_alphabetic()
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'-' | b'.'));
    valid.then_some(scheme)
}

/// Cuts an absolute http or https URL.
pub(crate) fn cut(text: &str) -> Result<Parts<'_>, CutError> {
    let scheme = scheme(text).ok_or(CutError::NoScheme)?;
    if !["http", "https"].iter().any(|known| scheme.eq_ignore_ascii_case(known)) {
        return Err(CutError::OtherScheme);
    }
    let behind = &text[scheme.len() + 1..];
    let behind_slashes = behind.trim_start_matches('/');
    if !matches!(behind.len() - behind_slashes.len(), 1..=3) {
        return Err(CutError::Malformed("no \"//\" behind the scheme"));
    }
    let (authority, rest) =
        behind_slashes.split_at(behind_slashes.find(['/', '?', '#']).unwrap_or(behind_slashes.len()));
    // By the standard a backslash ends the host; others take what stands before it for a user name.
    if authority.contains(['\\', ' ']) {
        return Err(CutError::Malformed("a backslash or a space before the path"));
    }
    Ok(Parts { scheme, authority, rest })
}

/// Path and query to send, and the fragment behind them if there is one.
pub(crate) fn path_and_query(rest: &str) -> (String, Option<&str>) {
    let (rest, fragment) = match rest.split_once('#') {
        Some((rest, fragment)) => (rest, Some(fragment)),
        None => (rest, None),
    };
    let (path, query) = match rest.find('?') {
        Some(at) => rest.split_at(at),
        None => (rest, ""),
    };
    let mut sent = String::with_capacity(rest.len() + 1);
    if path.is_empty() {
        sent.push('/');
    }
    // Beyond ASCII, libcurl encodes what is in the path, and leaves a query as it is.
    encode_into(&mut sent, without_dots(path).as_bytes(), |byte| byte == b' ' || !byte.is_ascii(), "%20");
    encode_into(&mut sent, query.as_bytes(), |byte| byte == b' ', "%20");
    (sent, fragment)
}

/// A `Location` with spaces and what is beyond ASCII encoded, as libcurl does for a redirect; the host of an absolute one is left
/// as it is. None where it has a control character, or a host that is not UTF-8.
pub(crate) fn encode_location(location: &[u8]) -> Option<String> {
    if location.iter().any(u8::is_ascii_control) {
        return None;
    }
    let find = |bytes: &[u8], what: &[u8]| bytes.iter().position(|byte| what.contains(byte)).unwrap_or(bytes.len());
    // Where path or query begin.
    let start = match location {
        [b'/', b'/', ..] => 2 + find(&location[2..], b"/?#"),
        _ => match find(location, b":/?#") {
            colon if location[colon..].starts_with(b":") => {
                let slashes = location[colon + 1..].iter().take_while(|byte| **byte == b'/').count();
                let host = colon + 1 + slashes;
                host + find(&location[host..], b"/?#")
            }
            _ => 0,
        },
    };
    let mut encoded = std::str::from_utf8(&location[..start]).ok()?.to_owned();
    let (path, query) = location[start..].split_at(find(&location[start..], b"?"));
    let unsafe_byte = |byte: u8| byte == b' ' || !byte.is_ascii();
    encode_into(&mut encoded, path, unsafe_byte, "%20");
    encode_into(&mut encoded, query, unsafe_byte, "+");
    Some(encoded)
}

/// Appends `bytes`, with those that `encoded` picks percent-encoded in lower case, and `space` for a space. What is not picked
/// must be UTF-8.
fn encode_into(text: &mut String, bytes: &[u8], encoded: impl Fn(u8) -> bool, space: &str) {
    let mut rest = bytes;
    while let Some(at) = rest.iter().position(|byte| encoded(*byte)) {
        text.push_str(&String::from_utf8_lossy(&rest[..at]));
        match rest[at] {
            b' ' => text.push_str(space),
            byte => _ = write!(text, "%{byte:02x}"),
        }
        rest = &rest[at + 1..];
    }
    text.push_str(&String::from_utf8_lossy(rest));
}

/// A path without its `.` and `..` segments (RFC 3986 §5.2.4). Encoded dots are no dots.
fn without_dots(path: &str) -> Cow<'_, str> {
    if !path.contains("/.") {
        return Cow::Borrowed(path);
    }
    let mut kept = Vec::new();
    let mut segments = path.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_dots = matches!(segment, "." | "..");
        if segment == ".." {
            kept.pop();
        }
        if !is_dots {
            kept.push(segment);
        } else if segments.peek().is_none() {
            kept.push("");
        }
    }
    Cow::Owned(kept.iter().flat_map(|segment| ["/", segment]).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_cut_where_the_path_begins() {
        let parts = |scheme, authority, rest| Ok(Parts { scheme, authority, rest });
        assert_eq!(cut("http://h"), parts("http", "h", ""));
        assert_eq!(cut("HTTPS://u:p@H:1?a/b"), parts("HTTPS", "u:p@H:1", "?a/b"));
        assert_eq!(cut("http:/h/a#b"), parts("http", "h", "/a#b"));
        assert_eq!(cut("http:///h#f"), parts("http", "h", "#f"));
        assert_eq!(cut("/a:b"), Err(CutError::NoScheme));
        assert_eq!(cut("localhost:6666"), Err(CutError::OtherScheme));
        for text in ["http:h/", "http:////h/", "http:", "http://h\\@i/", "http://h\\", "http://u p@h/"] {
            assert!(matches!(cut(text), Err(CutError::Malformed(_))), "{text}");
        }
    }

    #[test]
    fn a_path_loses_its_dots_and_nothing_else() {
        for (rest, sent) in [
            ("", "/"),
            ("?", "/?"),
            ("?/../a", "/?/../a"),
            ("/a/./b/../c", "/a/c"),
            ("/a/..", "/"),
            ("/..", "/"),
            ("/a/.", "/a/"),
            ("/../../a", "/a"),
            ("//a//../b", "//a/b"),
            ("/%2e%2E/a", "/%2e%2E/a"),
            ("/.a/..b/...", "/.a/..b/..."),
            ("/'\"<>`{}|^[]\\;%zz%?'\"<>`{}|^[]\\;%zz%", "/'\"<>`{}|^[]\\;%zz%?'\"<>`{}|^[]\\;%zz%"),
            ("/a b?c d", "/a%20b?c%20d"),
            ("/é?é", "/%c3%a9?é"),
        ] {
            assert_eq!(path_and_query(rest), (sent.to_owned(), None), "{rest}");
            assert_eq!(path_and_query(sent).0, sent, "once is enough");
        }
        assert_eq!(path_and_query("/a?b#c#d"), ("/a?b".to_owned(), Some("c#d")));
    }

    #[test]
    fn a_location_is_encoded_behind_its_host() {
        for (location, encoded) in [
            (&b"/a b?c d?e f"[..], "/a%20b?c+d?e+f"),
            (b"/\xc3\xa9?\xe9", "/%c3%a9?%e9"),
            ("http://bücher.example/é".as_bytes(), "http://bücher.example/%c3%a9"),
            ("//bücher.example?é".as_bytes(), "//bücher.example?%c3%a9"),
            (b"a/b:c \xe9", "a/b:c%20%e9"),
        ] {
            assert_eq!(encode_location(location).as_deref(), Some(encoded));
        }
        for location in [&b"/a\tb"[..], b"/a\x7f", b"http://b\xfc.example/"] {
            assert_eq!(encode_location(location), None);
        }
    }
}
