use openssl::hash::MessageDigest;
use openssl::nid::Nid;

use crate::case::Case;
use crate::certificate::{Extension, Identity, Key, Plan};

/// Has the server show what it would be ashamed of.
const LENIENT: [&str; 2] = ["-cipher", "DEFAULT:@SECLEVEL=0"];

/// Certificates for `localhost`: their keys, signatures, times and uses.
pub(crate) fn cases() -> Vec<Case> {
    let authority = Plan::authority().self_signed();
    let signed = |name, plan: Plan| Case::new(name, &[&plan.signed_by(&authority)], &LENIENT).trusting(&authority);
    let key = |key| Plan { key, ..Plan::default() };
    let signed_by = |name, key, digest| {
        let authority = Plan { key, digest, ..Plan::authority() }.self_signed();
        Case::new(name, &[&Plan { digest, ..Plan::default() }.signed_by(&authority)], &LENIENT).trusting(&authority)
    };
    let (p256, p384, p521) = (Nid::X9_62_PRIME256V1, Nid::SECP384R1, Nid::SECP521R1);
    vec![
        signed("P-256", Plan::default()),
        signed("P-384", key(Key::Curve(p384))),
        signed("P-521", key(Key::Curve(p521))),
        signed("RSA, 2048 bits", key(Key::Rsa(2048))),
        signed("Ed25519", key(Key::Ed25519)),
        signed_by("signed with P-521 and SHA-512", Key::Curve(p521), Some(MessageDigest::sha512())),
        signed_by("signed with P-256 and SHA-512", Key::Curve(p256), Some(MessageDigest::sha512())),
        signed_by("signed with P-384 and SHA-256", Key::Curve(p384), Some(MessageDigest::sha256())),
        signed_by("signed with Ed25519", Key::Ed25519, None),
        signed("RSA, 1024 bits", key(Key::Rsa(1024))).fails("certificate", "EE certificate key too weak"),
        signed_by("signed with SHA-1", Key::Curve(p256), Some(MessageDigest::sha1()))
            .fails("certificate", "CA signature digest algorithm too weak"),
        signed("expired", Plan { days: (-3, -1), ..Plan::default() }).fails("certificate", "certificate has expired"),
        signed("not valid yet", Plan { days: (1, 3), ..Plan::default() })
            .fails("certificate", "certificate is not yet valid"),
        signed("for clients only", Plan { extension: Extension::ForClients, ..Plan::default() })
            .fails("certificate", "purpose"),
        signed("a critical extension that nobody knows", Plan { extension: Extension::Critical, ..Plan::default() })
            .fails("certificate", "unhandled critical extension"),
        signed("says that it is an authority", Plan { authority: Some(true), ..Plan::default() }),
    ]
}

/// Whom a certificate names.
pub(crate) fn names() -> Vec<Case> {
    let authority = Plan::authority().self_signed();
    let case = |name, common_name, names, host| {
        let plan = Plan { common_name, names, ..Plan::default() };
        Case::new(name, &[&plan.signed_by(&authority)], &[]).trusting(&authority).named(host)
    };
    let wrong = |case: Case| case.fails("certificate", "mismatch");
    vec![
        case("the name in the subject only", "localhost", &[], "localhost"),
        case("a wildcard in the subject only", "*.example.com", &[], "a.example.com"),
        case("the address in the subject only", "127.0.0.1", &[], "127.0.0.1"),
        case("the address among the names", "x", &["IP:127.0.0.1"], "127.0.0.1"),
        case("in capitals", "x", &["DNS:LOCALHOST"], "localhost"),
        case("a dot at the end of the URL's host", "x", &["DNS:a.example.com"], "a.example.com."),
        case("a wildcard", "x", &["DNS:*.example.com"], "a.example.com"),
        case("an underscore in the host", "x", &["DNS:a_b.example.com"], "a_b.example.com"),
        wrong(case("another name", "other.example", &[], "localhost")),
        wrong(case(
            "the name in the subject, another where names belong",
            "localhost",
            &["DNS:other.example"],
            "localhost",
        )),
        wrong(case(
            "the name in the subject, an address where names belong",
            "localhost",
            &["IP:127.0.0.1"],
            "localhost",
        )),
        wrong(case(
            "the address in the subject, a name where names belong",
            "127.0.0.1",
            &["DNS:localhost"],
            "127.0.0.1",
        )),
        wrong(case("the address as if it were a name", "x", &["DNS:127.0.0.1"], "127.0.0.1")),
        wrong(case("another address", "x", &["IP:127.0.0.2"], "127.0.0.1")),
        wrong(case("another address in the subject", "127.0.0.2", &[], "127.0.0.1")),
        wrong(case("a wildcard for two labels", "x", &["DNS:*.example.com"], "a.b.example.com")),
        wrong(case("a wildcard for a part of a label", "x", &["DNS:a*.example.com"], "ab.example.com")),
        wrong(case("a wildcard for a whole top level", "x", &["DNS:*.com"], "example.com")),
        wrong(case("a wildcard for addresses", "*.0.0.1", &[], "127.0.0.1")),
    ]
}

/// Who signed whom, and what of that is trusted.
pub(crate) fn chains() -> Vec<Case> {
    let root = Plan::authority().self_signed();
    let stranger = Plan::authority().self_signed();
    let issuer = Plan { common_name: "Issuer", ..Plan::authority() }.signed_by(&root);
    let end = Plan::default().signed_by(&issuer);
    let pretender = Plan { common_name: "Pretender", ..Plan::default() }.signed_by(&root);
    let forged = Plan::default().signed_by(&pretender);
    let own = |authority| Plan { authority, ..Plan::default() }.self_signed();
    // As `openssl req -x509` makes it.
    let as_authority = own(Some(true));
    let alone: Identity = own(None);
    vec![
        Case::new("signed by itself, an authority, trusted", &[&as_authority], &[]).trusting(&as_authority),
        Case::new("signed by itself, no authority, trusted", &[&alone], &[]).trusting(&alone),
        Case::new("signed by itself, not trusted", &[&as_authority], &[])
            .trusting(&stranger)
            .fails("certificate", "self-signed certificate"),
        Case::new("with what leads to the root", &[&end, &issuer], &[]).trusting(&root),
        Case::new("the root in the chain, too", &[&end, &issuer, &root], &[]).trusting(&root),
        Case::new("the chain in disorder", &[&end, &root, &issuer], &[]).trusting(&root),
        Case::new("the issuer trusted, not the root", &[&end, &issuer], &[]).trusting(&issuer),
        Case::new("trusted itself, without its authority", &[&end], &[]).trusting(&end),
        Case::new("without what leads to the root", &[&end], &[])
            .trusting(&root)
            .fails("certificate", "unable to get local issuer certificate"),
        Case::new("another authority of the same name", &[&end, &issuer], &[])
            .trusting(&stranger)
            .fails("certificate", "certificate signature failure")
            .unlike_curl("libcurl looks at the signature's own error, and says that the handshake failed (35)"),
        Case::new("signed by one that is no authority", &[&forged, &pretender], &[])
            .trusting(&root)
            .fails("certificate", "invalid CA certificate"),
        Case::new("nothing trusted but the system's", &[&end, &issuer], &[])
            .trusting_file(Plan { common_name: "Somebody", ..Plan::authority() }.self_signed().pem())
            .fails("certificate", "unable to get local issuer certificate"),
    ]
}
