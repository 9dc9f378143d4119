//! Names of this machine, however they are resolved (RFC 6761 §6.3).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use crate::address::host_pattern::without_root;

/// The addresses that such a name stands for, in the order in which libcurl tries them; ::1 only if this machine has
/// it. Nothing is sent.
pub(crate) fn addresses() -> impl Iterator<Item = IpAddr> {
    let ipv6 = UdpSocket::bind((Ipv6Addr::LOCALHOST, 0)).is_ok();
    ipv6.then_some(Ipv6Addr::LOCALHOST.into()).into_iter().chain([Ipv4Addr::LOCALHOST.into()])
}

/// Whether it is `localhost` or a name below it. Names in URLs are in lower case.
pub(crate) fn is_localhost(name: &str) -> bool {
    let name = without_root(name);
    name == "localhost" || name.ends_with(".localhost")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn localhost_and_what_is_below_it() {
        for name in ["localhost", "localhost.", "app.localhost", "a.b.localhost."] {
            assert!(is_localhost(name), "{name}");
        }
        for name in ["localhost.example", "notlocalhost", "localhost.localdomain", "local", ""] {
            assert!(!is_localhost(name), "{name}");
        }
    }
}
