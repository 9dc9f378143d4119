use std::fmt;
use std::io;
use std::path::PathBuf;

use url::{Host, Url};

use crate::address::host_pattern::parse_host;
use crate::config::proxy_login::ProxyLogin;
use crate::transport::credentials::Credentials;

/// A proxy that requests go through.
///
/// Through `http://` and `https://` proxies (the latter over TLS), https requests go in a tunnel (CONNECT), and http
/// requests are forwarded: what the proxy itself answers, such as a 407, is the reply. `socks5://` proxies (RFC 1928)
/// are told an address, `socks5h://` proxies the name of the host.
#[derive(Clone, PartialEq, Eq)]
pub struct Proxy {
    pub(crate) kind: ProxyKind,
    host: Host,
    pub(crate) port: u16,
    login: ProxyLogin,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ProxyKind {
    Http,
    Https,
    Socks5,
    /// The proxy resolves the names.
    Socks5h,
}

/// Why a text is not a [`Proxy`]. Does not contain the text, which may hold a password.
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
        let login = ProxyLogin::of(&url);
        if let ProxyLogin::As(credentials) = &login {
            kind.check(credentials)?;
        }
        Ok(Self { kind, host, port: url.port().unwrap_or(default_port), login })
    }

    /// Has user name and password read from a file: its first line, `user:password`, as they are. It is read when the
    /// first connection needs it.
    #[must_use]
    pub fn with_credentials_file(self, path: PathBuf) -> Self {
        Self { login: ProxyLogin::Of(path), ..self }
    }

    /// Whether user name and password came with the URL.
    pub fn has_credentials(&self) -> bool {
        matches!(self.login, ProxyLogin::As(_))
    }

    pub(crate) fn host(&self) -> Host<&str> {
        match &self.host {
            Host::Domain(name) => Host::Domain(name),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        }
    }

    /// What to log in with, if with anything.
    ///
    /// # Errors
    ///
    /// Where the file cannot be read, or holds no such thing.
    pub(crate) fn credentials(&self) -> io::Result<Option<Credentials>> {
        let credentials = self.login.credentials()?;
        if let Some(credentials) = &credentials {
            self.kind.check(credentials).map_err(io::Error::other)?;
        }
        Ok(credentials)
    }
}

impl ProxyKind {
    /// Whether it can be logged in to with these.
    fn check(self, credentials: &Credentials) -> Result<(), ProxyError> {
        match self {
            Self::Socks5 | Self::Socks5h if !credentials.fit_socks() => {
                Err(ProxyError("SOCKS needs a user name and a password of 1 to 255 bytes each"))
            }
            _ => Ok(()),
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
            assert!(!proxy.has_credentials());
        }
        let proxy = Proxy::parse("http://us%40er:p%C3%A4ss@proxy").unwrap();
        let credentials = proxy.credentials().unwrap().unwrap();
        assert_eq!(credentials.basic().unwrap(), "Basic dXNAZXI6cMOkc3M=");
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
