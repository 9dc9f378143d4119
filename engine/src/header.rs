//! Header fields of a request, as callers give them.

use std::fmt;

use http::header::{HeaderName, HeaderValue};

/// Why a header field cannot be sent. Never holds the value, which may be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HeaderError {
    /// The name is no token (RFC 9110 §5.1).
    Name(String),
    /// The value of this field holds a line break, a NUL or another control character (RFC 9110 §5.5).
    Value(String),
}

/// Checks one field.
///
/// # Errors
///
/// See [`HeaderError`].
pub fn check(name: &str, value: &str) -> Result<(), HeaderError> {
    parse(name, value).map(drop)
}

pub(crate) fn parse(name: &str, value: &str) -> Result<(HeaderName, HeaderValue), HeaderError> {
    let parsed =
        HeaderName::from_bytes(name.as_bytes()).map_err(|_| HeaderError::Name(name.escape_debug().to_string()))?;
    let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| HeaderError::Value(name.to_owned()))?;
    Ok((parsed, value))
}

impl fmt::Display for HeaderError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "Invalid name of a request header: \"{name}\""),
            Self::Value(name) => {
                write!(f, "Invalid value of the request header \"{name}\": it holds a control character")
            }
        }
    }
}

impl std::error::Error for HeaderError {}

#[cfg(test)]
mod tests {
    use super::*;

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
}
