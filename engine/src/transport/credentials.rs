use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use url::Url;

/// A user name and a password, for a server or a proxy.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

impl Credentials {
    /// Those of a URL, percent-encoded there.
    pub(crate) fn in_url(url: &Url) -> Self {
        let decode = |text| percent_decode_str(text).collect();
        Self { user: decode(url.username()), password: decode(url.password().unwrap_or_default()) }
    }

    /// `Authorization` or `Proxy-Authorization` in the scheme `Basic` (RFC 7617).
    pub(crate) fn basic(&self) -> Option<HeaderValue> {
        let encoded = BASE64_STANDARD.encode([&self.user, &b":"[..], &self.password].concat());
        let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }

    /// Whether each fits into its length of one byte, and neither is empty (RFC 1929 §2).
    pub(crate) fn fit_socks(&self) -> bool {
        [&self.user, &self.password].iter().all(|text| (1..=255).contains(&text.len()))
    }
}
