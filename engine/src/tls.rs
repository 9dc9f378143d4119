use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;

use crate::failure::{Failure, FailureKind};

/// What https requests trust and offer. The certificates are read when the first one needs them.
pub(crate) struct Tls {
    ca_file: Option<PathBuf>,
    connector: OnceCell<TlsConnector>,
}

impl Tls {
    pub(crate) fn new(ca_file: Option<PathBuf>) -> Self {
        Self { ca_file, connector: OnceCell::new() }
    }

    pub(crate) fn ca_file(&self) -> Option<&Path> {
        self.ca_file.as_deref()
    }

    /// # Errors
    ///
    /// A [`FailureKind::Certificate`] failure when there is nothing to trust. The next call tries again.
    pub(crate) async fn connector(&self) -> Result<&TlsConnector, Failure> {
        self.connector.get_or_try_init(|| build(self.ca_file.clone())).await
    }
}

async fn build(ca_file: Option<PathBuf>) -> Result<TlsConnector, Failure> {
    // Parsing the system's bundle takes tens of milliseconds: not on the thread that serves everyone.
    let roots = tokio::task::spawn_blocking(move || read_roots(ca_file.as_deref()));
    let roots = roots.await.unwrap_or_else(|error| Err(io::Error::other(error)));
    let roots = roots.map_err(|error| Failure::new(FailureKind::Certificate).with_detail(error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| Failure::new(FailureKind::Internal("TLS setup".into())).with_detail(error))?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(config).into())
}

/// The system's trust roots (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name), and those in `ca_file`.
fn read_roots(ca_file: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    // A system's bundle may hold certificates that are of no use here: any number of the others will do.
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        let unreadable = |error| io::Error::other(format!("{}: {error}", path.display()));
        for certificate in CertificateDer::pem_file_iter(path).map_err(unreadable)? {
            let refused = |error| io::Error::other(format!("{}: {error}", path.display()));
            roots.add(certificate.map_err(unreadable)?).map_err(refused)?;
        }
    }
    if roots.is_empty() {
        return Err(io::Error::other("no trusted root certificates were found"));
    }
    Ok(roots)
}
