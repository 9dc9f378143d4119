use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};

use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::bn::BigNum;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::rsa::Rsa;
use openssl::x509::extension::{BasicConstraints, ExtendedKeyUsage, SubjectAlternativeName};
use openssl::x509::{X509, X509Builder, X509Extension, X509NameBuilder};

/// A certificate with its key.
#[derive(Clone)]
pub(crate) struct Identity {
    pub(crate) certificate: X509,
    pub(crate) key: PKey<Private>,
}

/// What is to stand in a certificate. The default is a server's for `localhost`.
pub(crate) struct Plan {
    pub(crate) common_name: &'static str,
    /// `DNS:` or `IP:` before each.
    pub(crate) names: &'static [&'static str],
    /// `CA:TRUE`, `CA:FALSE`, or nothing said.
    pub(crate) authority: Option<bool>,
    /// From when to when, in days from now.
    pub(crate) days: (i64, i64),
    pub(crate) key: Key,
    /// Of the issuer's signature; none for keys that have one of their own.
    pub(crate) digest: Option<MessageDigest>,
    pub(crate) extension: Extension,
}

#[derive(Clone, Copy)]
pub(crate) enum Key {
    Curve(Nid),
    Rsa(u32),
    Ed25519,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Extension {
    None,
    /// Extended key usage: TLS clients, and nobody else.
    ForClients,
    /// One that nobody knows and that must be understood.
    Critical,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            common_name: "localhost",
            names: &["DNS:localhost", "IP:127.0.0.1"],
            authority: None,
            days: (-1, 30),
            key: Key::Curve(Nid::X9_62_PRIME256V1),
            digest: Some(MessageDigest::sha256()),
            extension: Extension::None,
        }
    }
}

impl Key {
    fn make(self) -> PKey<Private> {
        match self {
            Self::Curve(nid) => {
                PKey::from_ec_key(EcKey::generate(&EcGroup::from_curve_name(nid).unwrap()).unwrap()).unwrap()
            }
            Self::Rsa(bits) => PKey::from_rsa(Rsa::generate(bits).unwrap()).unwrap(),
            Self::Ed25519 => PKey::generate_ed25519().unwrap(),
        }
    }
}

impl Plan {
    /// An authority.
    pub(crate) fn authority() -> Self {
        Self { common_name: "Authority", names: &[], authority: Some(true), ..Self::default() }
    }

    pub(crate) fn self_signed(&self) -> Identity {
        let key = self.key.make();
        let unsigned = self.begin(&key);
        self.finish(unsigned, key, None)
    }

    pub(crate) fn signed_by(&self, issuer: &Identity) -> Identity {
        let key = self.key.make();
        let unsigned = self.begin(&key);
        self.finish(unsigned, key, Some(issuer))
    }

    fn begin(&self, key: &PKey<Private>) -> X509Builder {
        static SERIAL: AtomicUsize = AtomicUsize::new(1);
        let mut builder = X509::builder().unwrap();
        builder.set_version(2).unwrap();
        let serial = BigNum::from_u32(SERIAL.fetch_add(1, Ordering::Relaxed) as u32).unwrap();
        builder.set_serial_number(&serial.to_asn1_integer().unwrap()).unwrap();
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64;
        let day = |days: i64| Asn1Time::from_unix(now + days * 24 * 60 * 60).unwrap();
        builder.set_not_before(&day(self.days.0)).unwrap();
        builder.set_not_after(&day(self.days.1)).unwrap();
        builder.set_pubkey(key).unwrap();
        let mut name = X509NameBuilder::new().unwrap();
        name.append_entry_by_text("CN", self.common_name).unwrap();
        builder.set_subject_name(&name.build()).unwrap();
        builder
    }

    fn finish(&self, mut builder: X509Builder, key: PKey<Private>, issuer: Option<&Identity>) -> Identity {
        let of = |issuer: Option<&Identity>| issuer.map(|issuer| issuer.certificate.subject_name().to_owned().unwrap());
        let mut own = X509NameBuilder::new().unwrap();
        own.append_entry_by_text("CN", self.common_name).unwrap();
        builder.set_issuer_name(&of(issuer).unwrap_or_else(|| own.build())).unwrap();
        if let Some(authority) = self.authority {
            let mut constraints = BasicConstraints::new();
            constraints.critical();
            if authority {
                constraints.ca();
            }
            builder.append_extension(constraints.build().unwrap()).unwrap();
        }
        if !self.names.is_empty() {
            let mut names = SubjectAlternativeName::new();
            for name in self.names {
                match name.split_once(':').unwrap() {
                    ("DNS", name) => names.dns(name),
                    (_, address) => names.ip(address),
                };
            }
            let names = names.build(&builder.x509v3_context(None, None)).unwrap();
            builder.append_extension(names).unwrap();
        }
        match self.extension {
            Extension::None => {}
            Extension::ForClients => {
                builder.append_extension(ExtendedKeyUsage::new().client_auth().build().unwrap()).unwrap();
            }
            Extension::Critical => {
                let id = Asn1Object::from_str("1.3.6.1.4.1.99999.1").unwrap();
                let value = Asn1OctetString::new_from_bytes(&[5, 0]).unwrap();
                builder.append_extension(X509Extension::new_from_der(&id, true, &value).unwrap()).unwrap();
            }
        }
        let digest = self.digest.unwrap_or_else(MessageDigest::null);
        builder.sign(issuer.map_or(&key, |issuer| &issuer.key), digest).unwrap();
        Identity { certificate: builder.build(), key }
    }
}

impl Identity {
    pub(crate) fn pem(&self) -> String {
        String::from_utf8(self.certificate.to_pem().unwrap()).unwrap()
    }

    pub(crate) fn key_pem(&self) -> String {
        String::from_utf8(self.key.private_key_to_pem_pkcs8().unwrap()).unwrap()
    }
}

/// A file of this run's own.
pub(crate) fn file(content: impl AsRef<[u8]>) -> PathBuf {
    static FILES: AtomicUsize = AtomicUsize::new(0);
    let directory = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("tls_differences");
    fs::create_dir_all(&directory).unwrap();
    let number = FILES.fetch_add(1, Ordering::Relaxed);
    let path = directory.join(format!("{}-{number}.pem", std::process::id()));
    fs::write(&path, content).unwrap();
    path
}
