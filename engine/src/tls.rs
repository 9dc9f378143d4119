use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::sign::SingleCertAndKey;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Host;

use crate::classify;
use crate::client_identity::ClientIdentity;
use crate::failure::{Failure, FailureKind};
use crate::files::{self, unreadable};
use crate::host_pattern::HostPattern;
use crate::policy::Policy;
use crate::unverified::Unverified;

/// Whom TLS connections trust, and what they show. The files are read when the first connection needs them.
pub(crate) struct Tls {
    options: Options,
    roots: OnceCell<RootCertStore>,
    /// Of each [`Variant`].
    connectors: [OnceCell<TlsConnector>; 8],
}

#[derive(Clone, PartialEq, Eq)]
struct Options {
    ca_file: Option<PathBuf>,
    identity: Option<ClientIdentity>,
    unverified: Vec<HostPattern>,
}

/// The protocols that we offer to speak over TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    Any,
    /// What proxies speak.
    Http1,
}

/// What differs from connection to connection.
#[derive(Clone, Copy)]
struct Variant {
    offer: Offer,
    shows_identity: bool,
    verifies: bool,
}

impl Tls {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self { options: Options::of(policy), roots: OnceCell::new(), connectors: Default::default() }
    }

    /// Whether a policy asks for the same as the one that this was made for.
    pub(crate) fn serves(&self, policy: &Policy) -> bool {
        self.options == Options::of(policy)
    }

    /// Shakes hands with a server over an open connection.
    ///
    /// # Errors
    ///
    /// Among others a [`FailureKind::Certificate`] failure when there is nothing to trust. The next call tries again.
    pub(crate) async fn handshake<S>(&self, host: &Host<&str>, stream: S, offer: Offer) -> Result<TlsStream<S>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let name = match host {
            Host::Ipv4(address) => ServerName::from(IpAddr::from(*address)),
            Host::Ipv6(address) => ServerName::from(IpAddr::from(*address)),
            Host::Domain(name) => ServerName::try_from((*name).to_owned())
                .map_err(|error| Failure::new(FailureKind::TlsHandshake).with_detail(error))?,
        };
        let variant = self.options.variant(host, offer);
        let connector = self.connectors[variant.index()].get_or_try_init(|| self.build(variant)).await?;
        connector.connect(name, stream).await.map_err(|error: io::Error| classify::tls(&error))
    }

    async fn build(&self, variant: Variant) -> Result<TlsConnector, Failure> {
        let internal =
            |error: rustls::Error| Failure::new(FailureKind::Internal("TLS setup".into())).with_detail(error);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider.clone())
            .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
            .map_err(internal)?;
        let builder = if variant.verifies {
            builder.with_root_certificates(self.roots().await?.clone())
        } else {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(Unverified { provider }))
        };
        let mut config = match &self.options.identity {
            Some(identity) if variant.shows_identity => {
                let key = files::read(FailureKind::ClientCertificate, identity, ClientIdentity::read).await?;
                builder.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(key)))
            }
            _ => builder.with_no_client_auth(),
        };
        let protocols: &[&[u8]] = match variant.offer {
            Offer::Any => &[b"h2", b"http/1.1"],
            Offer::Http1 => &[b"http/1.1"],
        };
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Ok(Arc::new(config).into())
    }

    async fn roots(&self) -> Result<&RootCertStore, Failure> {
        let ca_file = &self.options.ca_file;
        self.roots
            .get_or_try_init(|| files::read(FailureKind::Certificate, ca_file, |path| read_roots(path.as_deref())))
            .await
    }
}

impl Options {
    fn of(policy: &Policy) -> Self {
        Self {
            ca_file: policy.ca_file.clone(),
            identity: policy.client_identity.clone(),
            unverified: policy.unverified_hosts.clone(),
        }
    }

    fn variant(&self, host: &Host<&str>, offer: Offer) -> Variant {
        let named = |patterns: &[HostPattern]| patterns.iter().any(|pattern| pattern.matches(host));
        Variant {
            offer,
            shows_identity: self.identity.as_ref().is_some_and(|identity| named(&identity.hosts)),
            verifies: !named(&self.unverified),
        }
    }
}

impl Variant {
    fn index(self) -> usize {
        usize::from(self.shows_identity) + 2 * usize::from(self.verifies) + 4 * usize::from(self.offer == Offer::Any)
    }
}

/// The system's trust roots (or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name), and those in `ca_file`.
fn read_roots(ca_file: Option<&Path>) -> io::Result<RootCertStore> {
    let mut roots = RootCertStore::empty();
    let native = rustls_native_certs::load_native_certs();
    // A system's bundle may hold certificates that are of no use here: any number of the others will do.
    roots.add_parsable_certificates(native.certs);
    if let Some(path) = ca_file {
        roots.extend(read_authorities(path)?.roots);
    }
    if roots.is_empty() {
        return Err(io::Error::other("no trusted root certificates were found"));
    }
    Ok(roots)
}

/// The authorities in a PEM file.
pub(crate) fn read_authorities(path: &Path) -> io::Result<RootCertStore> {
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|error| unreadable(path, error))? {
        let certificate = certificate.map_err(|error| unreadable(path, error))?;
        authorities.add(certificate).map_err(|error| unreadable(path, error))?;
    }
    if authorities.is_empty() {
        return Err(unreadable(path, "no certificate in it"));
    }
    Ok(authorities)
}
