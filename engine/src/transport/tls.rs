pub(crate) mod certificate_file;
pub(crate) mod client_identity;
pub(crate) mod exit_guard;
pub(crate) mod tls_error;
pub(crate) mod tls_stream;
pub(crate) mod trust;
pub(crate) mod trust_settings;

use std::path::PathBuf;
use std::sync::Arc;

use openssl::error::ErrorStack;
use openssl::ssl::{Ssl, SslContext, SslMethod, SslMode, SslOptions, SslVerifyMode};
use tls_sessions::Client;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use url::Host;

use crate::address::host_pattern::HostPattern;
use crate::message::failure::{Failure, FailureKind};
use crate::transport::files;
use crate::transport::tls::client_identity::{ClientIdentity, Shown};
use crate::transport::tls::tls_stream::TlsStream;
use crate::transport::tls::trust::Verification;

/// Whom TLS connections trust, and what they show. The files are read when the first connection needs them.
///
/// Versions, suites, groups and the strength of keys are up to OpenSSL and the system's policy for it, as they are
/// for libcurl.
pub(crate) struct Tls {
    options: TlsOptions,
    identity: OnceCell<Shown>,
    /// For servers that are verified, and for those that are not. A session of one is not used for the other.
    verifying: OnceCell<Client>,
    unverified: OnceCell<Client>,
}

/// What differs between policies.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct TlsOptions {
    /// Certificates to trust besides the system's.
    pub(crate) ca_file: Option<PathBuf>,
    pub(crate) identity: Option<ClientIdentity>,
    /// Hosts whose certificates are accepted unseen.
    pub(crate) unverified: Vec<HostPattern>,
}

/// The protocols that are offered over TLS.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Offer {
    Any,
    /// HTTP/1.1 alone, as for proxies.
    Http1,
}

impl Tls {
    pub(crate) fn new(options: TlsOptions) -> Self {
        Self { options, identity: OnceCell::new(), verifying: OnceCell::new(), unverified: OnceCell::new() }
    }

    /// What it was made with.
    pub(crate) fn options(&self) -> &TlsOptions {
        &self.options
    }

    /// Shakes hands with a server over an open connection.
    ///
    /// # Errors
    ///
    /// Among others a [`FailureKind::Certificate`] failure when there is nothing to trust. The next call tries again.
    pub(crate) async fn handshake<S>(
        &self,
        host: &Host<&str>,
        port: u16,
        stream: S,
        offer: Offer,
    ) -> Result<TlsStream<S>, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        let verifies = !named(&self.options.unverified, host);
        let client = if verifies { self.verifying().await? } else { self.unverified().await? };
        let shown = self.shown_to(host).await?;
        let verification = verifies.then(|| Arc::new(Verification::of(host)));
        let ssl = exit_guard::during(|| prepare(client, host, port, offer, shown, verification.as_ref()));
        let stream = ssl.and_then(|ssl| TlsStream::new(ssl, stream)).map_err(internal)?;
        stream.connect().await.map_err(|error| tls_error::of_handshake(error, verification.as_deref()))
    }

    async fn verifying(&self) -> Result<&Client, Failure> {
        let ca_file = &self.options.ca_file;
        let read = || files::read(FailureKind::Certificate, ca_file, |path| trust::read(path.as_deref()));
        let build = || async {
            let store = read().await?;
            exit_guard::during(|| {
                let mut context = context()?;
                context.set_cert_store(store);
                Client::new(context)
            })
            .map_err(internal)
        };
        self.verifying.get_or_try_init(build).await
    }

    async fn unverified(&self) -> Result<&Client, Failure> {
        let build = || async { exit_guard::during(|| Client::new(context()?)).map_err(internal) };
        self.unverified.get_or_try_init(build).await
    }

    /// The certificate that is shown to this host.
    async fn shown_to(&self, host: &Host<&str>) -> Result<Option<&Shown>, Failure> {
        match self.options.identity.as_ref().filter(|identity| named(&identity.hosts, host)) {
            None => Ok(None),
            Some(identity) => {
                let read = || files::read(FailureKind::ClientCertificate, identity, ClientIdentity::read);
                self.identity.get_or_try_init(read).await.map(Some)
            }
        }
    }
}

fn named(patterns: &[HostPattern], host: &Host<&str>) -> bool {
    patterns.iter().any(|pattern| pattern.matches(host))
}

fn internal(error: ErrorStack) -> Failure {
    Failure::new(FailureKind::Internal("TLS setup".into())).with_detail(tls_error::reasons(&error))
}

/// What all connections have in common.
fn context() -> Result<openssl::ssl::SslContextBuilder, ErrorStack> {
    let mut context = SslContext::builder(SslMethod::tls_client())?;
    // As libcurl: the workarounds for faulty peers, but not the one that removes a protection.
    context.set_options((SslOptions::ALL - SslOptions::DONT_INSERT_EMPTY_FRAGMENTS) | SslOptions::NO_COMPRESSION);
    // A write may be repeated from another place in memory. An idle connection needs no buffers.
    context.set_mode(
        SslMode::AUTO_RETRY
            | SslMode::ACCEPT_MOVING_WRITE_BUFFER
            | SslMode::ENABLE_PARTIAL_WRITE
            | SslMode::RELEASE_BUFFERS
            // What is in the file is shown, and nothing that is found beside it.
            | SslMode::NO_AUTO_CHAIN,
    );
    // A record with one call to the system in the place of two.
    context.set_read_ahead(true);
    Ok(context)
}

fn prepare(
    client: &Client,
    host: &Host<&str>,
    port: u16,
    offer: Offer,
    shown: Option<&Shown>,
    verification: Option<&Arc<Verification>>,
) -> Result<Ssl, ErrorStack> {
    let (protocols, offered): (&[u8], _) = match offer {
        Offer::Any => (b"\x02h2\x08http/1.1", "any"),
        Offer::Http1 => (b"\x08http/1.1", "http/1.1"),
    };
    let mut ssl = client.connection(format!("{host}:{port} {offered}").into())?;
    ssl.set_alpn_protos(protocols)?;
    if let Host::Domain(name) = host {
        // RFC 6066 §3: no dot at the end, and no addresses.
        ssl.set_hostname(name.strip_suffix('.').unwrap_or(name))?;
    }
    if let Some(shown) = shown {
        shown.by(&mut ssl)?;
    }
    match verification {
        Some(verification) => verification.clone().by(&mut ssl)?,
        None => ssl.set_verify(SslVerifyMode::NONE),
    }
    Ok(ssl)
}
