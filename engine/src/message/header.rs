//! Header fields of a request, as callers give them.

use std::fmt;

use http::header::{self, HeaderName, HeaderValue};

/// The most fields that one request may have.
pub(crate) const MAX_FIELDS: usize = 1000;

/// Fields of the connection or of the framing of a message (RFC 9110 §7.6.1). The engine writes these; those of a
/// caller are left out.
const OURS: [HeaderName; 9] = [
    header::CONNECTION,
    header::CONTENT_LENGTH,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
    HeaderName::from_static("http2-settings"),
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
];

/// How much of a name is shown.
const SHOWN: usize = 100;

/// A field with its name as the caller wrote it, which is how it goes out over HTTP/1.1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Field {
    pub(crate) name: HeaderName,
    /// None where it is in lower case, as `name` is.
    written: Option<Box<str>>,
    pub(crate) value: HeaderValue,
}

impl Field {
    pub(crate) fn written(&self) -> &str {
        self.written.as_deref().unwrap_or(self.name.as_str())
    }
}

/// Why a header field cannot be sent. Never holds the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    /// The name is not a token (RFC 9110 §5.1).
    Name(String),
    /// The name, or the value of the field of this name, holds a line break, which would begin another field.
    LineBreak(String),
    /// The value of this field holds another control character (RFC 9110 §5.5).
    Value(String),
    /// The request has [`MAX_FIELDS`] already.
    TooMany,
    /// The request has a `Host` already (RFC 9112 §3.2).
    SecondHost,
}

/// Counts the fields of one request.
#[derive(Clone, Debug, Default)]
pub(crate) struct Count {
    fields: usize,
    has_host: bool,
}

impl Count {
    pub(crate) fn add(&mut self, name: &HeaderName) -> Result<(), HeaderError> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(HeaderError::TooMany);
        }
        if *name == header::HOST && std::mem::replace(&mut self.has_host, true) {
            return Err(HeaderError::SecondHost);
        }
        Ok(())
    }
}

/// Checks a field. `None` if the field belongs to the engine and is left out.
///
/// A blank value becomes an empty one: then neither this field is sent nor the default of its name.
pub(crate) fn parse(name: &str, value: &str) -> Result<Option<Field>, HeaderError> {
    let has_line_break = |text: &str| memchr::memchr2(b'\r', b'\n', text.as_bytes()).is_some();
    let shown = || name.chars().flat_map(char::escape_debug).take(SHOWN).collect::<String>();
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| if has_line_break(name) { HeaderError::LineBreak(shown()) } else { HeaderError::Name(shown()) })?;
    if OURS.contains(&parsed) {
        return Ok(None);
    }
    let blank = value.bytes().all(|byte| matches!(byte, b' ' | b'\t'));
    let value = HeaderValue::from_bytes(if blank { b"" } else { value.as_bytes() }).map_err(|_| {
        if has_line_break(value) { HeaderError::LineBreak(shown()) } else { HeaderError::Value(shown()) }
    })?;
    let written = (parsed.as_str() != name).then(|| name.into());
    Ok(Some(Field { name: parsed, written, value }))
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "header \"{name}\" has a name that cannot be sent"),
            Self::LineBreak(name) => write!(f, "header \"{name}\" contains a carriage return or line feed"),
            Self::Value(name) => write!(f, "header \"{name}\" contains a control character"),
            Self::TooMany => write!(f, "more than {MAX_FIELDS} headers"),
            Self::SecondHost => f.write_str("more than one header \"Host\""),
        }
    }
}

impl std::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_could_split_a_head_is_refused_without_its_value() {
        assert!(parse("X-Ok", "café").is_ok());
        for value in ["a\r\nb: c", "a\nb", "\r"] {
            let error = parse("X-Bad", value).unwrap_err();
            assert_eq!(error.to_string(), "header \"X-Bad\" contains a carriage return or line feed");
        }
        for value in ["a\0b", "\x01", "\x7f"] {
            assert_eq!(parse("X-Bad", value).unwrap_err().to_string(), "header \"X-Bad\" contains a control character");
        }
        for name in ["", "X Y", "X:Y", "né", "X\0"] {
            assert!(matches!(parse(name, ""), Err(HeaderError::Name(_))), "{name:?}");
        }
        assert_eq!(
            parse("X\r\nY", "").unwrap_err().to_string(),
            "header \"X\\r\\nY\" contains a carriage return or line feed"
        );
    }

    #[test]
    fn what_belongs_to_the_connection_is_left_out_in_any_case_and_whatever_it_says() {
        for name in [
            "Content-Length",
            "TRANSFER-ENCODING",
            "connection",
            "Keep-Alive",
            "Proxy-Connection",
            "te",
            "Trailer",
            "Upgrade",
            "HTTP2-Settings",
        ] {
            for value in ["x", "", "a\r\nb"] {
                assert_eq!(parse(name, value), Ok(None), "{name}");
            }
        }
        assert!(matches!(parse("Host", "x"), Ok(Some(_))));
    }

    #[test]
    fn a_blank_value_is_an_empty_one() {
        for value in ["", " ", "\t "] {
            let field = parse("X-A", value).unwrap().unwrap();
            assert!(field.value.is_empty());
        }
    }

    #[test]
    fn a_name_stays_as_it_was_written() {
        for name in ["SOAPAction", "x-low", "CONTENT-type"] {
            let field = parse(name, "x").unwrap().unwrap();
            assert_eq!((field.written(), field.name.as_str()), (name, &*name.to_ascii_lowercase()));
        }
    }

    #[test]
    fn a_request_has_one_host_and_a_bounded_number_of_fields() {
        let mut fields = Count::default();
        assert_eq!(fields.add(&header::HOST), Ok(()));
        assert_eq!(fields.add(&header::HOST), Err(HeaderError::SecondHost));
        let mut fields = Count::default();
        for _ in 0..MAX_FIELDS {
            assert_eq!(fields.add(&header::ACCEPT), Ok(()));
        }
        assert_eq!(fields.add(&header::ACCEPT), Err(HeaderError::TooMany));
    }
}
