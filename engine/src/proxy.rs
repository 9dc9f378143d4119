use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::HeaderValue;
use percent_encoding::percent_decode_str;
use url::{Host, Url};

use crate::host_pattern::parse_host;

/// A proxy that requests go through.
///
/// Over `http://` and `https://` proxies (the latter are spoken to over TLS), https requests go through a tunnel
/// (CONNECT), and http requests are forwarded: what the proxy then says of its own accord, a 407 for example, is the
/// reply. `socks5://` proxies (RFC 1928) are told an address, `socks5h://` proxies the host's name.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) kind: ProxyKind,
    host: Host,
    pub(crate) port: u16,
    credentials: Option<Credentials>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    Http,
    Https,
    Socks5,
    /// The proxy resolves the names.
    Socks5h,
}

#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Credentials {
    pub(crate) user: Vec<u8>,
    pub(crate) password: Vec<u8>,
}

/// Why a text is no [`Proxy`]. Does not hold the text, in which there may be a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProxyError(&'static str);

impl Proxy {
    /// Parses `http://user:password@host:port`, or the same with another scheme.
    ///
    /// The port is 80, 443 or 1080 (SOCKS) where there is none. User name and password are percent-encoded.
    ///
    /// # Errors
    ///
    /// See [`ProxyError`].
    pub fn parse(text: &str) -> Result<Self, ProxyError> {
        if text.bytes().any(|byte| byte.is_ascii_control()) {
            return Err(ProxyError("a control character"));
        }
        let url = Url::parse(text).map_err(|_| ProxyError("not a URL like \"http://host:port\""))?;
        let (kind, default_port) = match url.scheme() {
            "http" => (ProxyKind::Http, 80),
            "https" => (ProxyKind::Https, 443),
            "socks5" => (ProxyKind::Socks5, 1080),
            "socks5h" => (ProxyKind::Socks5h, 1080),
            _ => return Err(ProxyError("the scheme is none of http, https, socks5 and socks5h")),
        };
        if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
            return Err(ProxyError("something behind host and port"));
        }
        // The URL standard leaves the hosts of schemes that it does not know unparsed.
        let host = url.host_str().and_then(parse_host).ok_or(ProxyError("no valid host"))?;
        let credentials = Credentials::of(&url);
        if let (ProxyKind::Socks5 | ProxyKind::Socks5h, Some(credentials)) = (kind, &credentials) {
            credentials.check_for_socks()?;
        }
        Ok(Self { kind, host, port: url.port().unwrap_or(default_port), credentials })
    }

    pub(crate) fn host(&self) -> Host<&str> {
        match &self.host {
            Host::Domain(name) => Host::Domain(name),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        }
    }

    pub(crate) fn credentials(&self) -> Option<&Credentials> {
        self.credentials.as_ref()
    }

    /// `Proxy-Authorization` (RFC 9110 §11.7.2).
    pub(crate) fn authorization(&self) -> Option<HeaderValue> {
        let Credentials { user, password } = self.credentials.as_ref()?;
        let encoded = BASE64_STANDARD.encode([user, &b":"[..], password].concat());
        let mut value = HeaderValue::from_str(&format!("Basic {encoded}")).ok()?;
        value.set_sensitive(true);
        Some(value)
    }
}

impl Credentials {
    fn of(url: &Url) -> Option<Self> {
        if url.username().is_empty() && url.password().is_none() {
            return None;
        }
        let decode = |text| percent_decode_str(text).collect();
        Some(Self { user: decode(url.username()), password: decode(url.password().unwrap_or_default()) })
    }

    /// Each has to fit into its length of one byte, and neither may be empty (RFC 1929 §2).
    fn check_for_socks(&self) -> Result<(), ProxyError> {
        match [&self.user, &self.password].iter().all(|text| (1..=255).contains(&text.len())) {
            true => Ok(()),
            false => Err(ProxyError("SOCKS needs a user name and a password of 1 to 255 bytes each")),
        }
    }
}

impl fmt::Debug for Proxy {
    /// Leaves user name and password out.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Proxy")
            .field("kind", &self.kind)
            .field("host", &self.host)
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl fmt::Display for ProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "invalid proxy: {}", self.0)
    }
}

impl std::error::Error for ProxyError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scheme_host_port_and_credentials() {
        for (text, kind, host, port) in [
            ("http://Proxy.example:3128", ProxyKind::Http, "proxy.example", 3128),
            ("http://proxy/", ProxyKind::Http, "proxy", 80),
            ("https://[::1]", ProxyKind::Https, "[::1]", 443),
            ("socks5://127.0.0.1", ProxyKind::Socks5, "127.0.0.1", 1080),
            ("socks5h://Bücher.example:1", ProxyKind::Socks5h, "xn--bcher-kva.example", 1),
        ] {
            let proxy = Proxy::parse(text).unwrap();
            assert_eq!((proxy.kind, proxy.host.to_string().as_str(), proxy.port), (kind, host, port));
            assert_eq!(proxy.authorization(), None);
        }
        let proxy = Proxy::parse("http://us%40er:p%C3%A4ss@proxy").unwrap();
        assert_eq!(proxy.authorization().unwrap(), "Basic dXNAZXI6cMOkc3M=");
    }

    #[test]
    fn messages_hold_no_secret() {
        assert!(!format!("{:?}", Proxy::parse("http://hunter2:hunter2@h").unwrap()).contains("hunter2"));
        for text in [
            "hunter2",
            "hunter2:3128",
            "ftp://u:hunter2@h",
            "http://u:hunter2@",
            "http://u:hunter2@h/p",
            "http://h\r\n/hunter2",
            "socks5://hunter2@h",
            "socks5://u:hunter2@a b",
        ] {
            let error = Proxy::parse(text).unwrap_err().to_string();
            assert!(error.starts_with("invalid proxy: ") && !error.contains("hunter2"), "{error}");
        }
    }
}
