use std::fmt;

use url::Host;

use crate::address::host_pattern::{parse_host, without_root};
use crate::address::network::Network;

/// The hosts that are reached without the proxy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoProxy(Vec<Entry>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Entry {
    hosts: Hosts,
    /// Any, where there is none.
    port: Option<u16>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Hosts {
    All,
    /// A name, and all below it.
    Name(String),
    Network(Network),
}

/// Why a text is not a [`NoProxy`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoProxyError(String);

impl NoProxy {
    /// Parses a list, separated by commas or white space, the way libcurl reads `NO_PROXY`.
    ///
    /// `*` is every host. `example.com` and `.example.com` are this host and all below it. IP addresses and networks
    /// (`10.0.0.0/8`, `fd00::/8`) count where the URL has an address; names are not resolved for this. Each may end in
    /// `:port`; an IPv6 address then stands in brackets.
    ///
    /// # Errors
    ///
    /// Names the first entry that is none.
    pub fn parse(text: &str) -> Result<Self, NoProxyError> {
        let entries = text.split(|c: char| c == ',' || c.is_whitespace()).filter(|entry| !entry.is_empty());
        let parsed = entries.map(|entry| Entry::parse(entry).ok_or_else(|| NoProxyError(entry.to_owned())));
        parsed.collect::<Result<_, _>>().map(Self)
    }

    pub(crate) fn matches(&self, host: &Host<&str>, port: u16) -> bool {
        self.0.iter().any(|entry| entry.port.is_none_or(|only| only == port) && entry.hosts.matches(host))
    }
}

impl Entry {
    fn parse(text: &str) -> Option<Self> {
        // The colons of an IPv6 address without brackets come before no port.
        let (hosts, port) = match text.rsplit_once(':') {
            Some((hosts, port)) if !hosts.contains(':') || hosts.ends_with(']') => (hosts, Some(port.parse().ok()?)),
            _ => (text, None),
        };
        Some(Self { hosts: Hosts::parse(hosts)?, port })
    }
}

impl Hosts {
    fn parse(text: &str) -> Option<Self> {
        if text == "*" {
            return Some(Self::All);
        }
        if let Some((address, bits)) = text.split_once('/') {
            return Network::new(address.parse().ok()?, bits.parse().ok()?).map(Self::Network);
        }
        Some(match parse_host(text.strip_prefix('.').unwrap_or(text))? {
            Host::Domain(name) => Self::Name(name),
            Host::Ipv4(address) => Self::Network(Network::new(address.into(), 32)?),
            Host::Ipv6(address) => Self::Network(Network::new(address.into(), 128)?),
        })
    }

    fn matches(&self, host: &Host<&str>) -> bool {
        match (self, host) {
            (Self::All, _) => true,
            (Self::Name(name), Host::Domain(host)) => {
                let above = without_root(host).strip_suffix(name.as_str());
                above.is_some_and(|above| above.is_empty() || above.ends_with('.'))
            }
            (Self::Network(network), Host::Ipv4(address)) => network.contains((*address).into()),
            (Self::Network(network), Host::Ipv6(address)) => network.contains((*address).into()),
            _ => false,
        }
    }
}

impl fmt::Display for NoProxyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not a host, a network or *", self.0.escape_debug())
    }
}

impl std::error::Error for NoProxyError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(list: &str, url: &str) -> bool {
        let url = url::Url::parse(url).unwrap();
        NoProxy::parse(list).unwrap().matches(&url.host().unwrap(), url.port_or_known_default().unwrap())
    }

    #[test]
    fn names_and_what_is_below_them() {
        for list in ["example.com", ".Example.com", "a.test, example.com", "*"] {
            assert!(matches(list, "http://example.com/"), "{list}");
            assert!(matches(list, "https://www.EXAMPLE.com./"), "{list}");
            assert_eq!(matches(list, "http://badexample.com/"), list == "*", "{list}");
        }
        assert!(!matches("", "http://example.com/"));
    }

    #[test]
    fn addresses_and_networks() {
        assert!(matches("127.0.0.1", "http://127.1/"));
        assert!(matches("10.0.0.0/8 192.168.0.0/16", "http://192.168.255.1/"));
        assert!(!matches("10.0.0.0/8", "http://11.0.0.0/"));
        assert!(!matches("10.0.0.0/8", "http://10.example/"));
        assert!(matches("fd00::/8", "http://[fdff::1]/"));
        assert!(!matches("fd00::/8", "http://[fe80::1]/"));
        assert!(matches("::1", "http://[::1]/"));
        assert!(matches("10.0.0.0/8", "http://[::ffff:10.1.2.3]/"));
        assert!(matches("0.0.0.0/0", "http://1.2.3.4/"));
        assert!(!matches("0.0.0.0/0", "http://[::1]/"));
    }

    #[test]
    fn a_port_limits() {
        assert!(matches("example.com:8080", "http://example.com:8080/"));
        assert!(!matches("example.com:8080", "http://example.com/"));
        assert!(matches("[::1]:443, *:1", "https://[::1]/"));
        assert!(matches("10.0.0.0/8:80", "http://10.0.0.1/"));
    }

    #[test]
    fn what_is_no_entry_is_named() {
        for text in ["a b!c d/8", "10.0.0.0/33", "example.com:http", "*.example.com"] {
            assert!(NoProxy::parse(text).is_err(), "{text}");
        }
        assert_eq!(NoProxy::parse("a, b/c").unwrap_err().to_string(), "\"b/c\" is not a host, a network or *");
    }
}
