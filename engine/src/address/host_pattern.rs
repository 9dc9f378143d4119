use std::fmt;
use std::net::IpAddr;

use url::Host;

/// Hosts, by name: `example.com` is this one, `*.example.com` is every one below it, and an IP address is itself.
///
/// There is no pattern for all hosts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPattern(Pattern);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    One(Host),
    /// The name with a dot before it.
    Below(String),
}

/// Why a text is not a [`HostPattern`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostPatternError(String);

impl HostPattern {
    /// Parses one pattern. Unicode names are mapped as in URLs.
    ///
    /// # Errors
    ///
    /// If the text is not a host, or has a `*` anywhere but in a leading `*.`.
    pub fn parse(text: &str) -> Result<Self, HostPatternError> {
        let error = || HostPatternError(text.to_owned());
        let pattern = match text.strip_prefix("*.") {
            Some(name) => match parse_host(name) {
                Some(Host::Domain(name)) => Pattern::Below(format!(".{name}")),
                _ => return Err(error()),
            },
            None => Pattern::One(parse_host(text).ok_or_else(error)?),
        };
        Ok(Self(pattern))
    }

    /// Whether it is an IP address.
    pub fn is_address(&self) -> bool {
        matches!(self.0, Pattern::One(Host::Ipv4(_) | Host::Ipv6(_)))
    }

    pub(crate) fn matches(&self, host: &Host<&str>) -> bool {
        match (&self.0, host) {
            (Pattern::One(Host::Domain(name)), Host::Domain(host)) => without_root(host) == name,
            (Pattern::One(Host::Ipv4(address)), Host::Ipv4(host)) => address == host,
            (Pattern::One(Host::Ipv6(address)), Host::Ipv6(host)) => address == host,
            (Pattern::Below(suffix), Host::Domain(host)) => without_root(host).ends_with(suffix.as_str()),
            _ => false,
        }
    }
}

/// A host as it stands in URLs, or an IPv6 address without its brackets.
pub(crate) fn parse_host(text: &str) -> Option<Host> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(match address {
            IpAddr::V4(address) => Host::Ipv4(address),
            IpAddr::V6(address) => Host::Ipv6(address),
        });
    }
    match Host::parse(text).ok()? {
        Host::Domain(name) if name.contains('*') => None,
        Host::Domain(name) => Some(Host::Domain(without_root(&name).to_owned())).filter(|_| name != "."),
        address => Some(address),
    }
}

/// A name without the dot of the root: `example.com.` is the same host.
pub(crate) fn without_root(name: &str) -> &str {
    name.strip_suffix('.').unwrap_or(name)
}

impl fmt::Display for HostPatternError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\" is not a valid host name or a pattern such as \"*.example.com\"", self.0.escape_debug())
    }
}

impl std::error::Error for HostPatternError {}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(pattern: &str, host: &str) -> bool {
        let host = Host::parse(host).unwrap();
        let host = match &host {
            Host::Domain(name) => Host::Domain(name.as_str()),
            Host::Ipv4(address) => Host::Ipv4(*address),
            Host::Ipv6(address) => Host::Ipv6(*address),
        };
        HostPattern::parse(pattern).unwrap().matches(&host)
    }

    #[test]
    fn a_name_is_one_host_and_a_star_all_below() {
        assert!(matches("Example.com", "example.COM"));
        assert!(matches("example.com", "example.com."));
        assert!(!matches("example.com", "a.example.com"));
        assert!(matches("*.example.com", "a.b.example.com"));
        assert!(!matches("*.example.com", "example.com"));
        assert!(!matches("*.example.com", "badexample.com"));
        assert!(matches("bücher.example", "xn--bcher-kva.example"));
    }

    #[test]
    fn an_address_is_itself_in_every_spelling() {
        assert!(matches("127.0.0.1", "0x7f.1"));
        assert!(matches("::1", "[0:0::1]"));
        assert!(matches("[::1]", "[::1]"));
        assert!(!matches("*.0.1.example", "127.0.0.1"));
    }

    #[test]
    fn there_is_no_pattern_for_all() {
        for text in ["*", "*.", "", ".", "*.*", "a*.example", "*.1.2.3.4", "a b"] {
            assert!(HostPattern::parse(text).is_err(), "{text}");
        }
    }
}
