use tokio::io::{AsyncRead, AsyncWrite};
use url::Host;

use crate::connection::{Connection, Protocol};
use crate::failure::{Failure, FailureKind};
use crate::http1::Http1;
use crate::http2::Http2;
use crate::policy::Policy;
use crate::progress::Progress;
use crate::resolver::Resolver;
use crate::target::Target;
use crate::tcp;
use crate::tls::Tls;

/// Opens connections the way a policy wants it: TCP, TLS, and the protocol that TLS agreed on.
pub(crate) struct Connector {
    tls: Tls,
}

impl Connector {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self { tls: Tls::new(policy) }
    }

    /// Whether connections opened under a policy would be the same.
    pub(crate) fn serves(&self, policy: &Policy) -> bool {
        self.tls.serves(policy)
    }

    /// Opens a new connection to where `target` points.
    pub(crate) async fn connect(
        &self,
        target: &Target,
        resolver: &Resolver,
        progress: &Progress,
    ) -> Result<Connection, Failure> {
        let url = target.url();
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host().ok_or_else(|| Failure::new(FailureKind::Resolve))?;
        let stream = tcp::open(&host, port, resolver, progress).await?;
        let remote = stream.peer_addr().ok();
        let protocol = if url.scheme() == "http" {
            Protocol::Http1(Http1::over(stream).await?)
        } else {
            self.secure(&host, stream).await?
        };
        Ok(Connection::new(protocol, remote))
    }

    async fn secure<S>(&self, host: &Host<&str>, stream: S) -> Result<Protocol, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let stream = self.tls.handshake(host, stream).await?;
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Http2::over(stream).await.map(Protocol::Http2)
        } else {
            Http1::over(stream).await.map(Protocol::Http1)
        }
    }
}
