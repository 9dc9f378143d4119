use crate::case::Case;
use crate::certificate::{Key, Plan, file};

/// Versions, suites and groups.
pub(crate) fn cases() -> Vec<Case> {
    let authority = Plan::authority().self_signed();
    let rsa = Plan { key: Key::Rsa(2048), ..Plan::default() }.signed_by(&authority);
    let elliptic = Plan::default().signed_by(&authority);
    let speaking = |name, arguments: &[&str]| Case::new(name, &[&rsa], arguments).trusting(&authority);
    let tls12 = |name, suite| speaking(name, &["-tls1_2", "-cipher", suite]);
    let group = |name, group| speaking(name, &["-tls1_3", "-groups", group]);
    // 1024 bits, from RFC 2409 §6.2.
    let weak = file(include_str!("dh1024.pem"));
    let weak = ["-tls1_2", "-cipher", "DHE-RSA-AES128-GCM-SHA256:@SECLEVEL=0", "-dhparam", weak.to_str().unwrap()];
    vec![
        speaking("TLS 1.3", &["-tls1_3"]),
        speaking("TLS 1.3, ChaCha20", &["-tls1_3", "-ciphersuites", "TLS_CHACHA20_POLY1305_SHA256"]),
        tls12("TLS 1.2", "ECDHE-RSA-AES256-GCM-SHA384"),
        tls12("TLS 1.2, CBC", "ECDHE-RSA-AES128-SHA"),
        tls12("TLS 1.2, CBC with SHA-384", "ECDHE-RSA-AES256-SHA384"),
        tls12("TLS 1.2, RSA key exchange", "AES128-GCM-SHA256"),
        tls12("TLS 1.2, RSA key exchange and CBC", "AES256-SHA"),
        tls12("TLS 1.2, DHE", "DHE-RSA-AES128-GCM-SHA256"),
        tls12("TLS 1.2, DHE and CBC", "DHE-RSA-AES256-SHA"),
        Case::new("TLS 1.2, ECDSA and CBC", &[&elliptic], &["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA"])
            .trusting(&authority),
        speaking("TLS 1.2, P-521 only", &["-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", "-groups", "P-521"]),
        group("P-521 only", "P-521"),
        group("P-384 only", "P-384"),
        group("X448 only", "X448"),
        group("ffdhe2048 only", "ffdhe2048"),
        speaking("TLS 1.1", &["-tls1_1", "-cipher", "DEFAULT:@SECLEVEL=0"]).fails("tls_handshake", "unsupported"),
        tls12("TLS 1.2, without a certificate", "aNULL:@SECLEVEL=0").fails("tls_handshake", "handshake failure"),
        tls12("TLS 1.2, without encryption", "eNULL:@SECLEVEL=0").fails("tls_handshake", "handshake failure"),
        speaking("TLS 1.2, DHE with 1024 bits", &weak).fails("tls_handshake", "dh key too small"),
        Case::saying("no TLS", b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
            .trusting(&authority)
            .fails("tls_handshake", "wrong version number"),
        Case::saying("the end", b"").trusting(&authority).fails("tls_handshake", ""),
        Case::saying("an alert", b"\x15\x03\x03\x00\x02\x02\x50")
            .trusting(&authority)
            .fails("tls_handshake", "internal error"),
    ]
}
