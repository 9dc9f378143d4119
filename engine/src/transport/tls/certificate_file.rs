//! Files of certificates in PEM form (RFC 7468), as they are found in practice.

use std::path::Path;
use std::{fmt, fs, io};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use openssl::x509::X509;

use crate::transport::files::unreadable;
use crate::transport::tls::exit_guard;
use crate::transport::tls::tls_error;
use crate::transport::tls::trust_settings;

/// What a file holds.
pub(crate) struct CertificateFile {
    pub(crate) certificates: Vec<X509>,
    pub(crate) broken: Vec<Broken>,
}

impl CertificateFile {
    fn or_unusable(self, path: &Path) -> io::Result<Self> {
        match (self.certificates.is_empty(), self.broken.first()) {
            (false, _) => Ok(self),
            (true, Some(broken)) => Err(unreadable(path, format!("no certificate in it can be read: {broken}"))),
            (true, None) => Err(unreadable(path, "no certificate in it")),
        }
    }
}

/// A certificate that cannot be used.
pub(crate) struct Broken {
    /// Which one of the file, from 1.
    number: usize,
    /// Where it begins.
    line: usize,
    why: String,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "certificate {} (line {}): {}", self.number, self.line, self.why)
    }
}

/// Reads the certificates in a file. A broken one does not keep the others out.
///
/// # Errors
///
/// When the file cannot be read, or contains no certificate that can be used.
pub(crate) fn read(path: &Path) -> io::Result<CertificateFile> {
    let bytes = fs::read(path).map_err(|error| unreadable(path, error))?;
    parse(&text(&bytes)).or_unusable(path)
}

/// Windows marks text with its encoding, which is not always UTF-8. A certificate is ASCII; the text around it may be
/// in any encoding.
pub(crate) fn text(bytes: &[u8]) -> String {
    encoding_rs::UTF_8.decode(bytes).0.into_owned()
}

pub(crate) fn parse(text: &str) -> CertificateFile {
    let mut file = CertificateFile { certificates: Vec::new(), broken: Vec::new() };
    for (at, block) in blocks(text).enumerate() {
        match block.certificate() {
            Ok(certificate) => file.certificates.push(certificate),
            Err(why) => file.broken.push(Broken { number: at + 1, line: block.line, why }),
        }
    }
    file
}

/// A block with the label of a certificate.
struct Block<'a> {
    label: &'a str,
    line: usize,
    /// The lines between its two marks. None if the second mark is missing.
    base64: Option<String>,
}

/// Certificates by their labels: what OpenSSL writes, wrote, and writes with settings of its own.
fn blocks(text: &str) -> impl Iterator<Item = Block<'_>> {
    let mut lines = text.lines().map(str::trim).enumerate().peekable();
    let all = std::iter::from_fn(move || {
        loop {
            let (at, line) = lines.next()?;
            let Some(label) = marked(line, "-----BEGIN ") else { continue };
            let mut base64 = String::new();
            while let Some((_, line)) = lines.next_if(|(_, line)| !line.starts_with("-----")) {
                base64.push_str(line);
            }
            let ended = lines.next_if(|(_, line)| marked(line, "-----END ") == Some(label)).is_some();
            return Some(Block { label, line: at + 1, base64: ended.then_some(base64) });
        }
    });
    all.filter(|block| matches!(block.label, "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE"))
}

fn marked<'a>(line: &'a str, mark: &str) -> Option<&'a str> {
    line.strip_prefix(mark)?.strip_suffix("-----")
}

impl Block<'_> {
    fn certificate(&self) -> Result<X509, String> {
        let base64 = self.base64.as_ref().ok_or_else(|| format!("it has no line \"-----END {}-----\"", self.label))?;
        let der = STANDARD.decode(base64).map_err(|_| "it is not base64".to_owned())?;
        if self.label == "TRUSTED CERTIFICATE" && !trust_settings::trust_servers(&der) {
            return Err("its own settings say that it is not to be trusted for servers".to_owned());
        }
        exit_guard::during(|| X509::from_der(&der))
            .map_err(|error| format!("it is damaged: {}", tls_error::reasons(&error)))
    }
}
