//! IPv6 addresses that lead to an IPv4 address through a translator or a tunnel.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// An address, and the IPv4 addresses that it may lead to.
///
/// A mapped address (`::ffff:1.2.3.4`) is taken as the IPv4 address, as the system does.
pub(crate) fn with_embedded_ipv4(address: IpAddr) -> impl Iterator<Item = IpAddr> {
    let address = address.to_canonical();
    let carried = match address {
        IpAddr::V4(_) => [None; 4],
        IpAddr::V6(address) => carried(address),
    };
    // A translator does not lead to "this network" (RFC 791 §3.2): a place that holds such an address holds none.
    let carried = carried.into_iter().flatten().filter(|address| address.octets()[0] != 0);
    std::iter::once(address).chain(carried.map(IpAddr::V4))
}

/// The IPv4 addresses that stand in an IPv6 address, by its prefix.
fn carried(address: Ipv6Addr) -> [Option<Ipv4Addr>; 4] {
    let octets = address.octets();
    let at = |places: [usize; 4]| Some(Ipv4Addr::from(places.map(|place| octets[place])));
    const LAST: [usize; 4] = [12, 13, 14, 15];
    match address.segments() {
        // NAT64 (RFC 6052 §2.1); IPv4-compatible (RFC 4291 §2.5.5.1) and IPv4-translated (RFC 7915 §6).
        [0x64, 0xff9b, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0, 0, ..] | [0, 0, 0, 0, 0xffff, 0, ..] => {
            [at(LAST), None, None, None]
        }
        // NAT64 of a local network (RFC 8215), which is free to choose how long its prefix is (RFC 6052 §2.2).
        [0x64, 0xff9b, 1, ..] => [at(LAST), at([6, 7, 9, 10]), at([7, 9, 10, 11]), at([9, 10, 11, 12])],
        // 6to4 (RFC 3056 §2).
        [0x2002, ..] => [at([2, 3, 4, 5]), None, None, None],
        // Teredo (RFC 4380 §4): the server, and the client with its bits turned over.
        [0x2001, 0, ..] => {
            [at([4, 5, 6, 7]), at(LAST).map(|client| Ipv4Addr::from_bits(!client.to_bits())), None, None]
        }
        _ => [None; 4],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn forms_of(address: &str) -> Vec<String> {
        with_embedded_ipv4(address.parse().unwrap()).map(|form| form.to_string()).collect()
    }

    #[test]
    fn plain_addresses_are_themselves() {
        for address in ["169.254.169.254", "2001:db8::1", "fe80::1", "2600::1"] {
            assert_eq!(forms_of(address), [address]);
        }
        assert_eq!(forms_of("::ffff:169.254.169.254"), ["169.254.169.254"]);
        // Their last bits hold no address.
        assert_eq!(forms_of("::1"), ["::1"]);
        assert_eq!(forms_of("::"), ["::"]);
    }

    #[test]
    fn what_translators_and_tunnels_lead_to() {
        for (address, carried) in [
            ("64:ff9b::a9fe:a9fe", "169.254.169.254"),
            ("::a9fe:a9fe", "169.254.169.254"),
            ("::ffff:0:a9fe:a9fe", "169.254.169.254"),
            ("2002:a9fe:a9fe::1", "169.254.169.254"),
            ("2001::5601:5601", "169.254.169.254"),
            ("2001:0:a9fe:a9fe::ffff:ffff", "169.254.169.254"),
            ("64:ff9b:1::a9fe:a9fe", "169.254.169.254"),
            ("64:ff9b:1:a9fe:a9:fe00::", "169.254.169.254"),
            ("64:ff9b:1:a9:fe:a9fe::", "169.254.169.254"),
            ("64:ff9b:1::a9:fea9:fe00:0", "169.254.169.254"),
        ] {
            assert!(forms_of(address)[1..].iter().any(|form| form == carried), "{address}: {:?}", forms_of(address));
        }
    }
}
