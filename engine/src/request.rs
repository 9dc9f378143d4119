use std::time::Duration;

use bytes::Bytes;
use http::Method;
use http::header::{HeaderMap, HeaderName, HeaderValue};

use crate::failure::{Failure, FailureKind};
use crate::origin::Origin;
use crate::target::Target;

/// The host's name for a request. The engine gives it back with the outcome and never looks into it.
pub type Key = i64;

/// One request, checked and ready to be sent.
#[derive(Clone, Debug)]
pub struct Request {
    pub(crate) key: Key,
    pub(crate) method: Method,
    pub(crate) target: Target,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) timeout: Duration,
}

impl Request {
    /// Checks the parts of a request.
    ///
    /// `method` is any token (RFC 9110 §9.1), upper-cased where it is one of the standard ones in other case. `timeout`
    /// covers the whole exchange, from the moment the engine starts on it.
    ///
    /// # Errors
    ///
    /// An [`FailureKind::Invalid`] failure that says which part was wrong, never with a header's value in it.
    pub fn new<'a>(
        key: Key,
        method: &str,
        url: &str,
        headers: impl IntoIterator<Item = (&'a str, &'a str)>,
        body: Bytes,
        timeout: Duration,
    ) -> Result<Self, Failure> {
        let invalid = |why: String| Failure::new(FailureKind::Invalid(why.into()));
        let method = parse_method(method).ok_or_else(|| invalid(format!("Unsupported request method: {method:?}")))?;
        let target = Target::parse(url).map_err(|why| invalid(why.to_string()))?;
        if timeout.is_zero() {
            return Err(invalid("The timeout must be at least 1 ms".to_owned()));
        }
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name = HeaderName::from_bytes(name.as_bytes())
                .map_err(|_| invalid(format!("Invalid request header name: {name:?}")))?;
            let value = HeaderValue::from_bytes(value.as_bytes())
                .map_err(|_| invalid(format!("Invalid value of the request header {:?}", name.as_str())))?;
            map.append(name, value);
        }
        Ok(Self { key, method, target, headers: map, body, timeout })
    }

    /// The key it was made with.
    pub fn key(&self) -> Key {
        self.key
    }

    /// Who it goes to first; redirects may lead elsewhere.
    pub fn origin(&self) -> &Origin {
        self.target.origin()
    }
}

/// Standard methods are taken in any case, as `net.http_method` does; others must be tokens and stay as they are.
fn parse_method(text: &str) -> Option<Method> {
    let upper = text.to_ascii_uppercase();
    match upper.as_str() {
        "GET" | "POST" | "PUT" | "DELETE" | "HEAD" | "OPTIONS" | "PATCH" | "TRACE" => {
            Method::from_bytes(upper.as_bytes()).ok()
        }
        // A tunnel is no request that an outcome could stand for.
        "CONNECT" => None,
        _ => Method::from_bytes(text.as_bytes()).ok(),
    }
}
