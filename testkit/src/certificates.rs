//! Certificates for servers and clients, good ones and bad ones.

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose, date_time_ymd,
};

use crate::scratch::Scratch;

/// A private certificate authority.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    scratch: Scratch,
}

/// A certificate and its private key, as files.
pub struct Identity {
    scratch: Scratch,
}

impl Authority {
    /// A new one, which nothing trusts yet.
    #[expect(clippy::new_without_default, reason = "every authority is another one")]
    pub fn new() -> Self {
        let scratch = Scratch::new("authority");
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        // A name of its own, or it could be taken for another one.
        params.distinguished_name.push(DnType::CommonName, scratch.path().to_str().expect("a path in UTF-8"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        scratch.file("authority.pem", &issuer.pem());
        Self { issuer, scratch }
    }

    /// Its own certificate, for those who are to trust it.
    pub fn file(&self) -> PathBuf {
        self.scratch.path().join("authority.pem")
    }

    /// A certificate for a host name or an address, or for a client.
    pub fn certify(&self, name: &str) -> Identity {
        self.sign(params(name))
    }

    /// A certificate for `localhost`, `127.0.0.1` and `::1`.
    pub fn certify_this_host(&self) -> Identity {
        let names = ["localhost", "127.0.0.1", "::1"].map(str::to_owned);
        self.sign(CertificateParams::new(names).expect("valid names"))
    }

    /// A certificate that was good once.
    pub fn certify_until_2001(&self, name: &str) -> Identity {
        let mut params = params(name);
        params.not_after = date_time_ymd(2001, 1, 1);
        self.sign(params)
    }

    fn sign(&self, params: CertificateParams) -> Identity {
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a signed certificate");
        Identity::of(&certificate.pem(), &key)
    }
}

impl Identity {
    /// A certificate that is signed with its own key.
    pub fn self_signed(name: &str) -> Self {
        let mut params = params(name);
        params.distinguished_name.push(DnType::CommonName, "nobody's certificate but its own");
        let key = KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        Self::of(&certificate.pem(), &key)
    }

    fn of(certificate: &str, key: &KeyPair) -> Self {
        let scratch = Scratch::new("identity");
        let key = key.serialize_pem();
        scratch.file("certificate.pem", certificate);
        scratch.private_file("key.pem", &key);
        scratch.file("both.pem", &format!("{certificate}{key}"));
        Self { scratch }
    }

    /// A certificate that is signed with its own key, as `openssl req -x509` makes it: that of an authority.
    pub fn made_by_openssl(name: &str) -> Self {
        let subject = format!("/CN={name}");
        let key = openssl(&["genrsa", "2048"], "");
        let certificate = openssl(&["req", "-x509", "-subj", &subject, "-key", "/dev/stdin"], &key);
        let scratch = Scratch::new("identity");
        scratch.file("certificate.pem", &certificate);
        scratch.private_file("key.pem", &key);
        Self { scratch }
    }

    /// Encrypts the key in its file.
    pub fn encrypt_key(&self) {
        let plain = fs::read_to_string(self.key()).expect("a key");
        let encrypted = openssl(&["pkcs8", "-topk8", "-v2", "aes256", "-passout", "pass:unknown"], &plain);
        self.scratch.private_file("key.pem", &encrypted);
    }

    /// The certificate.
    pub fn certificate(&self) -> PathBuf {
        self.scratch.path().join("certificate.pem")
    }

    /// Its private key.
    pub fn key(&self) -> PathBuf {
        self.scratch.path().join("key.pem")
    }

    /// Both in one file.
    pub fn both(&self) -> PathBuf {
        self.scratch.path().join("both.pem")
    }
}

/// What openssl makes of its input.
fn openssl(arguments: &[&str], input: &str) -> String {
    let mut command = Command::new("openssl");
    let command = command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut process = command.spawn().expect("openssl runs");
    process.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("openssl reads");
    let output = process.wait_with_output().expect("openssl ends");
    assert!(output.status.success(), "openssl {arguments:?}");
    String::from_utf8(output.stdout).expect("PEM")
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a valid name");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}
