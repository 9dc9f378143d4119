//! Addresses that are not ordinary hosts: the special-purpose registries of IANA, and where clouds keep their
//! metadata.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};

use crate::address::network::Network;

/// A block of addresses, and what it is for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    network: Network,
    purpose: &'static str,
}

/// Link-local addresses, and those at which clouds hand out credentials: never a target of ours.
const CLOSED: [Block; 9] = [
    v4([169, 254, 0, 0], 16, "link-local"),
    v6([0xfe80, 0, 0, 0], 10, "link-local"),
    v4([100, 100, 100, 200], 32, "metadata of Alibaba Cloud"),
    v4([168, 63, 129, 16], 32, "metadata of Azure"),
    v4([192, 0, 0, 192], 32, "metadata of Oracle Cloud"),
    v6([0xfd00, 0xec2, 0, 0], 32, "metadata of AWS"),
    one(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), "metadata of Google Cloud"),
    one(Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42), "metadata of Scaleway"),
    v6([0xfd00, 0xa9fe, 0xa9fe, 0], 48, "metadata of Akamai"),
];

/// Names of the same, for hosts that a proxy resolves.
const CLOSED_NAMES: [&str; 3] = ["metadata.google.internal", "metadata.goog", "instance-data.ec2.internal"];

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>, the blocks that lie in others left out, and multicast.
const IPV4: [Block; 17] = [
    v4([0, 0, 0, 0], 8, "this network"),
    v4([10, 0, 0, 0], 8, "private use"),
    v4([100, 64, 0, 0], 10, "shared address space"),
    v4([127, 0, 0, 0], 8, "loopback"),
    v4([169, 254, 0, 0], 16, "link-local"),
    v4([172, 16, 0, 0], 12, "private use"),
    v4([192, 0, 0, 0], 24, "IETF protocol assignments"),
    v4([192, 0, 2, 0], 24, "documentation"),
    v4([192, 31, 196, 0], 24, "AS112"),
    v4([192, 52, 193, 0], 24, "AMT"),
    v4([192, 88, 99, 0], 24, "6to4 relay anycast"),
    v4([192, 168, 0, 0], 16, "private use"),
    v4([192, 175, 48, 0], 24, "AS112"),
    v4([198, 18, 0, 0], 15, "benchmarking"),
    v4([198, 51, 100, 0], 24, "documentation"),
    v4([203, 0, 113, 0], 24, "documentation"),
    v4([224, 0, 0, 0], 3, "multicast or reserved"),
];

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>, likewise.
const IPV6: [Block; 17] = [
    one(Ipv6Addr::UNSPECIFIED, "unspecified"),
    one(Ipv6Addr::LOCALHOST, "loopback"),
    v6([0x64, 0xff9b, 0, 0], 96, "IPv4-IPv6 translation"),
    v6([0x64, 0xff9b, 1, 0], 48, "IPv4-IPv6 translation"),
    v6([0x100, 0, 0, 0], 64, "discard-only"),
    v6([0x100, 0, 0, 1], 64, "dummy prefix"),
    v6([0x2001, 0, 0, 0], 32, "Teredo"),
    v6([0x2001, 0, 0, 0], 23, "IETF protocol assignments"),
    v6([0x2001, 0xdb8, 0, 0], 32, "documentation"),
    v6([0x2002, 0, 0, 0], 16, "6to4"),
    v6([0x2620, 0x4f, 0x8000, 0], 48, "AS112"),
    v6([0x3fff, 0, 0, 0], 20, "documentation"),
    v6([0x5f00, 0, 0, 0], 16, "segment routing"),
    v6([0xfc00, 0, 0, 0], 7, "private use"),
    v6([0xfe80, 0, 0, 0], 10, "link-local"),
    v6([0xfec0, 0, 0, 0], 10, "site-local"),
    v6([0xff00, 0, 0, 0], 8, "multicast"),
];

/// Of IPv6, this is all that has been given to hosts (<https://www.iana.org/assignments/ipv6-address-space>).
const GLOBAL_UNICAST: Network = Network::v6([0x2000, 0, 0, 0], 3);
const UNASSIGNED: Block = v6([0, 0, 0, 0], 0, "unassigned");

const fn v4(octets: [u8; 4], bits: u8, purpose: &'static str) -> Block {
    Block { network: Network::v4(octets, bits), purpose }
}

const fn v6(head: [u16; 4], bits: u8, purpose: &'static str) -> Block {
    Block { network: Network::v6(head, bits), purpose }
}

const fn one(address: Ipv6Addr, purpose: &'static str) -> Block {
    Block { network: Network::one(address), purpose }
}

/// The block of addresses closed to all requests that this one is in.
pub(crate) fn closed(address: IpAddr) -> Option<&'static Block> {
    among(&CLOSED, address)
}

/// Whether a name, without the dot of the root, stands for a cloud's metadata.
pub(crate) fn is_closed_name(name: &str) -> bool {
    CLOSED_NAMES.contains(&name)
}

/// The special-purpose block that an address is in; none if it is an ordinary public address.
pub(crate) fn find(address: IpAddr) -> Option<&'static Block> {
    let blocks = if address.is_ipv4() { &IPV4[..] } else { &IPV6[..] };
    let unassigned = || (address.is_ipv6() && !GLOBAL_UNICAST.contains(address)).then_some(&UNASSIGNED);
    among(blocks, address).or_else(unassigned)
}

fn among(blocks: &'static [Block], address: IpAddr) -> Option<&'static Block> {
    blocks.iter().find(|block| block.network.contains(address))
}

impl fmt::Display for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.network, self.purpose)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The registries as IANA publishes them, by first and last address.
    const REGISTERED: [(&str, &str); 45] = [
        ("0.0.0.0", "0.255.255.255"),
        ("10.0.0.0", "10.255.255.255"),
        ("100.64.0.0", "100.127.255.255"),
        ("127.0.0.0", "127.255.255.255"),
        ("169.254.0.0", "169.254.255.255"),
        ("172.16.0.0", "172.31.255.255"),
        ("192.0.0.0", "192.0.0.255"),
        ("192.0.0.0", "192.0.0.7"),
        ("192.0.0.8", "192.0.0.8"),
        ("192.0.0.9", "192.0.0.9"),
        ("192.0.0.10", "192.0.0.10"),
        ("192.0.0.170", "192.0.0.171"),
        ("192.0.2.0", "192.0.2.255"),
        ("192.31.196.0", "192.31.196.255"),
        ("192.52.193.0", "192.52.193.255"),
        ("192.88.99.0", "192.88.99.255"),
        ("192.168.0.0", "192.168.255.255"),
        ("192.175.48.0", "192.175.48.255"),
        ("198.18.0.0", "198.19.255.255"),
        ("198.51.100.0", "198.51.100.255"),
        ("203.0.113.0", "203.0.113.255"),
        ("224.0.0.0", "239.255.255.255"),
        ("240.0.0.0", "255.255.255.255"),
        ("::", "::1"),
        ("64:ff9b::", "64:ff9b::ffff:ffff"),
        ("64:ff9b:1::", "64:ff9b:1:ffff:ffff:ffff:ffff:ffff"),
        ("100::", "100::ffff:ffff:ffff:ffff"),
        ("100:0:0:1::", "100::1:ffff:ffff:ffff:ffff"),
        ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001::", "2001:0:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:1::1", "2001:1::3"),
        ("2001:2::", "2001:2:0:ffff:ffff:ffff:ffff:ffff"),
        ("2001:3::", "2001:3:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:4:112::", "2001:4:112:ffff:ffff:ffff:ffff:ffff"),
        ("2001:10::", "2001:1f:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:20::", "2001:2f:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:30::", "2001:3f:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("2620:4f:8000::", "2620:4f:8000:ffff:ffff:ffff:ffff:ffff"),
        ("3fff::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("5f00::", "5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("fc00::", "fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("fe80::", "febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
        ("ff00::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ];

    #[test]
    fn every_registered_block_is_special_from_end_to_end() {
        for (first, last) in REGISTERED {
            for address in [first, last] {
                assert!(find(address.parse().unwrap()).is_some(), "{address}");
            }
        }
    }

    #[test]
    fn their_neighbours_are_public() {
        for address in [
            "1.0.0.0",
            "9.255.255.255",
            "11.0.0.0",
            "100.63.255.255",
            "100.128.0.0",
            "126.255.255.255",
            "128.0.0.0",
            "169.253.255.255",
            "169.255.0.0",
            "172.15.255.255",
            "172.32.0.0",
            "191.255.255.255",
            "192.0.1.0",
            "192.0.3.0",
            "192.167.255.255",
            "192.169.0.0",
            "198.17.255.255",
            "198.20.0.0",
            "203.0.112.255",
            "203.0.114.0",
            "223.255.255.255",
            "2000::",
            "2001:200::",
            "2001:db7::",
            "2001:db9::",
            "2003::",
            "2600::1",
            "2620:4f:8001::",
            "3ffe::",
        ] {
            assert_eq!(find(address.parse().unwrap()), None, "{address}");
        }
        for address in ["4000::", "64:ff9b:2::", "200::", "8000::1"] {
            assert_eq!(find(address.parse().unwrap()), Some(&UNASSIGNED), "{address}");
        }
    }

    #[test]
    fn link_local_and_metadata_are_closed() {
        for address in [
            "169.254.0.0",
            "169.254.169.254",
            "169.254.170.2",
            "169.254.255.255",
            "fe80::a9fe:a9fe",
            "febf::1",
            "100.100.100.200",
            "168.63.129.16",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd20:ce::254",
            "fd00:42::42",
            "fd00:a9fe:a9fe::1",
        ] {
            assert!(closed(address.parse().unwrap()).is_some(), "{address}");
        }
        for address in ["127.0.0.1", "::1", "10.0.0.1", "fd00::1", "169.253.0.1", "100.100.100.201", "fec0::1"] {
            assert_eq!(closed(address.parse().unwrap()), None, "{address}");
        }
    }
}
