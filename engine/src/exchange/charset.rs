//! Turns a body into text. Content codings are undone before this.

use encoding_rs::{Encoding, UTF_8};
use memchr::memchr;

use crate::message::outcome::Content;

/// The body as text in the charset that `content_type` names, else in UTF-8; or as bytes, if it is not text in that
/// charset or contains a NUL.
///
/// A byte order mark outranks the charset, as in browsers (<https://encoding.spec.whatwg.org/#decode>). It is left
/// out: it is not part of the text, and stored JSON that begins with one cannot be parsed.
pub(crate) fn content(body: Vec<u8>, content_type: Option<&str>) -> Content {
    if body.is_empty() {
        return Content::Empty;
    }
    let (encoding, mark) = match Encoding::for_bom(&body) {
        Some(marked) => marked,
        None => (content_type.and_then(charset).unwrap_or(UTF_8), 0),
    };
    if encoding == UTF_8 && mark == 0 {
        // The common case needs no copy.
        return match String::from_utf8(body) {
            Ok(text) if is_storable(&text) => Content::Text(text),
            Ok(text) => Content::Bytes(text.into_bytes().into()),
            Err(error) => Content::Bytes(error.into_bytes().into()),
        };
    }
    match encoding.decode_without_bom_handling_and_without_replacement(&body[mark..]) {
        Some(text) if is_storable(&text) => Content::Text(text.into_owned()),
        _ => Content::Bytes(body.into()),
    }
}

/// UTF-8 without an incomplete character at its end; what is not UTF-8 stays as it is.
pub(crate) fn whole_characters(mut body: Vec<u8>) -> Vec<u8> {
    if let Err(error) = std::str::from_utf8(&body)
        && error.error_len().is_none()
    {
        body.truncate(error.valid_up_to());
    }
    body
}

fn is_storable(text: &str) -> bool {
    memchr(0, text.as_bytes()).is_none()
}

/// The encoding that the `charset` parameter of a media type names (RFC 9110 §8.3.2), if it is a known one.
fn charset(content_type: &str) -> Option<&'static Encoding> {
    // A quoted string may hold a semicolon, but no charset's name does: cutting there loses nothing.
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, label) = parameters.find(|(name, _)| name.trim().eq_ignore_ascii_case("charset"))?;
    let label = label.trim();
    let label = label.strip_prefix('"').and_then(|quoted| quoted.strip_suffix('"')).unwrap_or(label);
    Encoding::for_label(label.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Content {
        Content::Text(text.to_owned())
    }

    #[test]
    fn the_charset_decides() {
        let decoded = |body: &[u8], content_type| content(body.to_vec(), content_type);
        assert_eq!(decoded("é".as_bytes(), None), text("é"));
        assert_eq!(decoded("é".as_bytes(), Some("text/plain")), text("é"));
        assert_eq!(decoded(b"\xe9", Some("text/plain; charset=ISO-8859-1")), text("é"));
        assert_eq!(decoded(b"\xa4", Some("text/plain;a=b;CHARSET=\"iso-8859-15\"")), text("€"));
        assert_eq!(decoded(b"\x93\xfa", Some("text/html; charset=Shift_JIS")), text("日"));
        assert_eq!(decoded(b"x", Some("text/html; charset=unheard-of")), text("x"));
    }

    #[test]
    fn a_byte_order_mark_outranks_the_charset_and_goes() {
        assert_eq!(content(b"\xef\xbb\xbf{}".to_vec(), None), text("{}"));
        assert_eq!(content(b"\xff\xfea\0".to_vec(), Some("text/plain; charset=utf-8")), text("a"));
    }

    #[test]
    fn a_part_of_a_text_ends_with_a_whole_character() {
        for (body, whole) in
            [("aé".as_bytes(), "aé".as_bytes()), (b"a\xc3", b"a"), (b"a\xf0\x9f\x98", b"a"), (b"a\xffb", b"a\xffb")]
        {
            assert_eq!(whole_characters(body.to_vec()), whole);
        }
    }

    #[test]
    fn what_is_no_text_stays_whole() {
        for (body, content_type) in [
            (&b"\xff\xd8\xff\xe0"[..], None),
            (b"a\0b", None),
            (b"a\0b", Some("text/plain; charset=latin1")),
            (b"\x81", Some("text/plain; charset=shift_jis")),
            (b"\xef\xbb\xbfa\0", None),
        ] {
            assert_eq!(content(body.to_vec(), content_type), Content::Bytes(body.to_vec().into()), "{body:?}");
        }
        assert_eq!(content(Vec::new(), None), Content::Empty);
    }
}
