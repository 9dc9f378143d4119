use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The addresses that begin with the same bits, as in `10.0.0.0/8` (RFC 4632).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    bits: u8,
}

impl Network {
    /// The network of `address` in which the first `bits` bits are the same; none if an address has fewer bits.
    ///
    /// A network of IPv4 addresses in IPv6 form (`::ffff:10.0.0.0/104`) is the one of the IPv4 addresses.
    pub fn new(address: IpAddr, bits: u8) -> Option<Self> {
        let width = if address.is_ipv4() { 32 } else { 128 };
        if bits > width {
            return None;
        }
        Some(match (address, address.to_canonical()) {
            (IpAddr::V6(_), mapped @ IpAddr::V4(_)) if bits >= 96 => Self { address: mapped, bits: bits - 96 },
            _ => Self { address, bits },
        })
    }

    pub(crate) const fn v4(octets: [u8; 4], bits: u8) -> Self {
        let [a, b, c, d] = octets;
        Self { address: IpAddr::V4(Ipv4Addr::new(a, b, c, d)), bits }
    }

    /// `head` are the first segments; the others are zero.
    pub(crate) const fn v6(head: [u16; 4], bits: u8) -> Self {
        let [a, b, c, d] = head;
        Self { address: IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0)), bits }
    }

    pub(crate) const fn one(address: Ipv6Addr) -> Self {
        Self { address: IpAddr::V6(address), bits: 128 }
    }

    /// Whether an address lies in it. An IPv4 address in IPv6 form is taken as the IPv4 address.
    pub(crate) fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
        let differing = left_aligned(self.address) ^ left_aligned(address);
        self.address.is_ipv4() == address.is_ipv4() && differing & mask == 0
    }
}

fn left_aligned(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => u128::from(address.to_bits()) << 96,
        IpAddr::V6(address) => address.to_bits(),
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(network: &str, bits: u8, address: &str) -> bool {
        Network::new(network.parse().unwrap(), bits).unwrap().contains(address.parse().unwrap())
    }

    #[test]
    fn the_first_bits_decide() {
        assert!(contains("172.16.0.0", 12, "172.31.255.255"));
        assert!(!contains("172.16.0.0", 12, "172.32.0.0"));
        assert!(contains("fc00::", 7, "fdff::1"));
        assert!(!contains("fc00::", 7, "fe00::"));
        assert!(contains("0.0.0.0", 0, "1.2.3.4"));
        assert!(!contains("0.0.0.0", 0, "::1"));
        assert!(!contains("::", 0, "1.2.3.4"));
    }

    #[test]
    fn both_forms_of_an_ipv4_address_are_the_same() {
        assert!(contains("10.0.0.0", 8, "::ffff:10.1.2.3"));
        assert!(contains("::ffff:10.0.0.0", 104, "10.1.2.3"));
        assert!(!contains("::ffff:10.0.0.0", 104, "11.1.2.3"));
    }

    #[test]
    fn an_address_has_no_more_bits_than_it_has() {
        assert_eq!(Network::new(Ipv4Addr::LOCALHOST.into(), 33), None);
        assert_eq!(Network::new(Ipv6Addr::LOCALHOST.into(), 129), None);
    }
}
