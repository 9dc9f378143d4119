use std::io;
use std::path::PathBuf;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use crate::files::unreadable;
use crate::host_pattern::HostPattern;

/// The certificate that we show to servers which ask for one, and to which of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientIdentity {
    /// A PEM file: our certificate, and those that lead to the authority's.
    pub cert_file: PathBuf,
    /// A PEM file with the certificate's private key, not encrypted.
    pub key_file: PathBuf,
    /// The hosts that it is shown to. No other is told that there is one.
    pub hosts: Vec<HostPattern>,
}

impl ClientIdentity {
    pub(crate) fn read(&self) -> io::Result<CertifiedKey> {
        let chain = CertificateDer::pem_file_iter(&self.cert_file)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| unreadable(&self.cert_file, error))?;
        if chain.is_empty() {
            return Err(unreadable(&self.cert_file, "no certificate in it"));
        }
        let key = PrivateKeyDer::from_pem_file(&self.key_file).map_err(|error| unreadable(&self.key_file, error))?;
        CertifiedKey::from_der(chain, key, &rustls::crypto::ring::default_provider()).map_err(|error| {
            let files = format!("{} and {}", self.cert_file.display(), self.key_file.display());
            io::Error::other(format!("{files}: {error}"))
        })
    }
}
