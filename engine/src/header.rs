//! Header fields of a request, as callers give them.

use std::fmt;

use http::header::{self, HeaderName, HeaderValue};

/// The most fields that one request may have.
pub const MAX_FIELDS: usize = 1000;

/// Fields that belong to a connection or to the framing of a message (RFC 9110 §7.6.1), which are not the caller's to set.
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

/// Why a header field cannot be sent. Never holds the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The name is no token (RFC 9110 §5.1).
    Name(String),
    /// The value of this field holds a line break, a NUL or another control character (RFC 9110 §5.5).
    Value(String),
    /// The field belongs to the connection or to the framing of the message: the engine sets it.
    Ours(String),
    /// The request has [`MAX_FIELDS`] already.
    TooMany,
    /// The request has a `Host` already (RFC 9112 §3.2).
    SecondHost,
}

/// Checks the fields of one request, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Check {
    fields: usize,
    has_host: bool,
}

impl Check {
    /// Checks one more field.
    ///
    /// # Errors
    ///
    /// See [`HeaderError`].
    pub fn field(&mut self, name: &str, value: &str) -> Result<(), HeaderError> {
        parse(name, value)?;
        self.count(name)
    }

    pub(crate) fn count(&mut self, name: &str) -> Result<(), HeaderError> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(HeaderError::TooMany);
        }
        if name.eq_ignore_ascii_case("host") && std::mem::replace(&mut self.has_host, true) {
            return Err(HeaderError::SecondHost);
        }
        Ok(())
    }
}

pub(crate) fn parse(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let parsed = HeaderName::from_bytes(name.as_bytes())
        .map_err(|_| HeaderError::Name(name.escape_debug().take(100).collect()))?;
    if OURS.contains(&parsed) {
        return Err(HeaderError::Ours(name.to_owned()));
    }
    let value =
        HeaderValue::from_bytes(value.as_bytes()).map_err(|_| HeaderError::Value(name.chars().take(100).collect()))?;
    Ok((parsed, value))
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "Invalid name of a request header: \"{name}\""),
            Self::Value(name) => {
                write!(f, "Invalid value of the request header \"{name}\": it holds a control character")
            }
            Self::Ours(name) => write!(f, "The request header \"{name}\" is not the caller's to set"),
            Self::TooMany => write!(f, "More than {MAX_FIELDS} request headers"),
            Self::SecondHost => f.write_str("More than one request header \"Host\""),
        }
    }
}

impl std::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(name: &str, value: &str) -> Result<(), HeaderError> {
        Check::default().field(name, value)
    }

    #[test]
    fn what_could_split_a_head_is_refused_without_its_value() {
        assert_eq!(check("X-Ok", "café"), Ok(()));
        for value in ["a\r\nb: c", "a\nb", "a\0b"] {
            let error = check("X-Bad", value).unwrap_err();
            assert_eq!(error, HeaderError::Value("X-Bad".to_owned()));
            assert!(!error.to_string().contains("a\n"));
        }
        for name in ["", "X Y", "X:Y", "X\r\nY"] {
            assert!(matches!(check(name, ""), Err(HeaderError::Name(_))), "{name:?}");
        }
    }

    #[test]
    fn what_belongs_to_the_connection_is_refused_in_any_case() {
        for name in
            ["Content-Length", "TRANSFER-ENCODING", "connection", "Keep-Alive", "Proxy-Connection", "te", "Upgrade"]
        {
            assert_eq!(check(name, "x"), Err(HeaderError::Ours(name.to_owned())));
        }
        assert_eq!(check("Host", "x"), Ok(()));
    }

    #[test]
    fn a_request_has_one_host_and_a_bounded_number_of_fields() {
        let mut fields = Check::default();
        assert_eq!(fields.field("Host", "a"), Ok(()));
        assert_eq!(fields.field("host", "b"), Err(HeaderError::SecondHost));
        let mut fields = Check::default();
        for n in 0..MAX_FIELDS {
            assert_eq!(fields.field(&format!("x-{n}"), "a"), Ok(()));
        }
        assert_eq!(fields.field("x-more", "a"), Err(HeaderError::TooMany));
    }
}
