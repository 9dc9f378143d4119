use std::fmt;
use std::sync::Arc;

use url::Url;

/// Scheme, host and port of a URL (RFC 9110 §4.3.1). Limits and connections are kept by origin.
///
/// Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Origin(Arc<str>);

impl Origin {
    /// The origin of an absolute http or https URL. The default port is left out, as the URL's own text leaves it out.
    pub(crate) fn of(url: &Url) -> Self {
        let scheme = url.scheme();
        let host = url.host_str().unwrap_or_default();
        Self(match url.port() {
            Some(port) => format!("{scheme}://{host}:{port}").into(),
            None => format!("{scheme}://{host}").into(),
        })
    }

    /// The origin as the head of a URL, `https://example.com:8443`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
