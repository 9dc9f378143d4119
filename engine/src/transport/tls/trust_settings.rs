//! What a `TRUSTED CERTIFICATE` block says besides the certificate: for what purposes it is trusted
//! (`openssl-x509(1)`, Trust Settings).
//!
//! `SEQUENCE { trusted SEQUENCE OF OID OPTIONAL, rejected [0] SEQUENCE OF OID OPTIONAL, ... }` in DER, after the
//! certificate.

/// The purposes that count: TLS servers (RFC 5280 §4.2.1.12), and any.
const PURPOSES: [&[u8]; 2] = [&[0x2b, 6, 1, 5, 5, 7, 3, 1], &[0x55, 0x1d, 0x25, 0]];

const SEQUENCE: u8 = 0x30;
const REJECTED: u8 = 0xa0;
const OID: u8 = 6;

/// Whether a certificate, with what follows it, is trusted for servers. What cannot be understood is not.
pub(crate) fn trust_servers(der: &[u8]) -> bool {
    let Some((_, _, settings)) = element(der) else { return false };
    if settings.is_empty() {
        return true;
    }
    decide(settings).unwrap_or(false)
}

fn decide(settings: &[u8]) -> Option<bool> {
    let (SEQUENCE, mut fields, _) = element(settings)? else { return None };
    // Where it is trusted for something, it is for that alone; what is said against it goes before.
    let mut trusted = true;
    while !fields.is_empty() {
        let (tag, purposes, rest) = element(fields)?;
        match tag {
            SEQUENCE => trusted = names_servers(purposes)?,
            REJECTED if names_servers(purposes)? => return Some(false),
            _ => {}
        }
        fields = rest;
    }
    Some(trusted)
}

fn names_servers(mut purposes: &[u8]) -> Option<bool> {
    while !purposes.is_empty() {
        let (OID, purpose, rest) = element(purposes)? else { return None };
        if PURPOSES.contains(&purpose) {
            return Some(true);
        }
        purposes = rest;
    }
    Some(false)
}

/// Tag and content of the first element, and what follows it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&[tag, length], rest) = der.split_first_chunk()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        0x81..=0x84 => {
            let (octets, rest) = rest.split_at_checked(usize::from(length - 0x80))?;
            (octets.iter().fold(0, |length, &octet| length << 8 | usize::from(octet)), rest)
        }
        _ => return None,
    };
    let (content, rest) = rest.split_at_checked(length)?;
    Some((tag, content, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An element with less than 128 bytes in it.
    fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
        let content = parts.concat();
        [&[tag, content.len() as u8], &content[..]].concat()
    }

    #[test]
    fn what_the_settings_say() {
        let certificate = der(SEQUENCE, &[b"certificate"]);
        let oid = |purpose: &[u8]| der(OID, &[purpose]);
        let servers = oid(PURPOSES[0]);
        let anybody = oid(PURPOSES[1]);
        let clients = oid(&[0x2b, 6, 1, 5, 5, 7, 3, 2]);
        let alias = der(0x0c, &[b"a name"]);
        for (fields, expected) in [
            (vec![], true),
            (vec![alias.clone()], true),
            (vec![der(SEQUENCE, &[&servers])], true),
            (vec![der(SEQUENCE, &[&clients, &servers]), alias.clone()], true),
            (vec![der(SEQUENCE, &[&anybody])], true),
            (vec![der(SEQUENCE, &[&clients])], false),
            (vec![der(REJECTED, &[&servers])], false),
            (vec![der(REJECTED, &[&anybody]), alias.clone()], false),
            (vec![der(REJECTED, &[&clients])], true),
            (vec![der(SEQUENCE, &[&servers]), der(REJECTED, &[&servers])], false),
            (vec![vec![SEQUENCE, 0x80]], false),
            (vec![der(SEQUENCE, &[&alias])], false),
        ] {
            let fields = fields.iter().map(Vec::as_slice).collect::<Vec<_>>();
            let whole = [certificate.clone(), der(SEQUENCE, &fields)].concat();
            assert_eq!(trust_servers(&whole), expected, "{fields:x?}");
        }
        assert!(trust_servers(&certificate));
        assert!(!trust_servers(&certificate[..5]));
        assert!(!trust_servers(&[&certificate[..], &[SEQUENCE, 9, 1]].concat()));
    }
}
