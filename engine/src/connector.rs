//! Opens connections: name, TCP, TLS, and the protocol that TLS agreed on.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::io;
use std::iter;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tower_service::Service;
use url::Host;

use crate::classify;
use crate::connection::{Connection, Protocol};
use crate::failure::{Failure, FailureKind};
use crate::http1::Http1;
use crate::http2::Http2;
use crate::progress::{Phase, Progress};
use crate::resolver::{Addresses, Resolver};
use crate::target::Target;
use crate::tls::Tls;

/// Opens a new connection to where `target` points.
pub(crate) async fn connect(
    target: &Target,
    resolver: &Resolver,
    tls: &Tls,
    progress: &Progress,
) -> Result<Connection, Failure> {
    let url = target.url();
    let port = url.port_or_known_default().unwrap_or_default();
    let addresses = match url.host() {
        Some(Host::Ipv4(address)) => iter::once(SocketAddr::from((address, port))).collect(),
        Some(Host::Ipv6(address)) => iter::once(SocketAddr::from((address, port))).collect(),
        Some(Host::Domain(name)) => {
            progress.enter(Phase::Dns);
            resolver.resolve(name).await?
        }
        None => return Err(Failure::new(FailureKind::Resolve)),
    };
    progress.enter(Phase::Handshake);
    let stream = open_tcp(target, addresses, progress).await?;
    let remote = stream.peer_addr().ok();
    progress.reach(remote);
    let protocol = if url.scheme() == "http" {
        Protocol::Http1(Http1::over(stream).await?)
    } else {
        let stream = open_tls(target, stream, tls).await?;
        if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
            Protocol::Http2(Http2::over(stream).await?)
        } else {
            Protocol::Http1(Http1::over(stream).await?)
        }
    };
    Ok(Connection::new(protocol, remote))
}

async fn open_tcp(target: &Target, addresses: Addresses, progress: &Progress) -> Result<TcpStream, Failure> {
    let connect_failure = |error: &str| Failure::new(FailureKind::Connect).with_detail(error);
    let uri =
        target.origin().as_str().parse::<Uri>().map_err(|_| connect_failure("the URL's host cannot be dialled"))?;
    // The connector shares its time out evenly among the addresses. Were it given only what is left until the deadline,
    // it could give up at the very moment of the deadline, and the failure would be of one kind or the other by chance.
    let patience = (addresses.len() > 1).then(|| progress.remaining() * 5 / 4);
    let mut connector = HttpConnector::new_with_resolver(Resolved(addresses.to_vec()));
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(patience);
    let stream = connector.call(uri).await.map_err(|error| connect_failure(&classify::root(&error).to_string()))?;
    Ok(stream.into_inner())
}

async fn open_tls(target: &Target, stream: TcpStream, tls: &Tls) -> Result<TlsStream<TcpStream>, Failure> {
    let name = match target.url().host() {
        Some(Host::Ipv4(address)) => ServerName::from(std::net::IpAddr::from(address)),
        Some(Host::Ipv6(address)) => ServerName::from(std::net::IpAddr::from(address)),
        Some(Host::Domain(name)) => ServerName::try_from(name.to_owned())
            .map_err(|error| Failure::new(FailureKind::TlsHandshake).with_detail(error))?,
        None => return Err(Failure::new(FailureKind::Resolve)),
    };
    let connector = tls.connector().await?;
    connector.connect(name, stream).await.map_err(|error: io::Error| classify::tls(&error))
}

/// A resolver that knows the answer: what was looked up, and perhaps looked over, is what is dialled.
#[derive(Clone)]
struct Resolved(Vec<SocketAddr>);

impl Service<Name> for Resolved {
    type Response = std::vec::IntoIter<SocketAddr>;
    type Error = Infallible;
    type Future = Ready<Result<Self::Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: Name) -> Self::Future {
        ready(Ok(self.0.clone().into_iter()))
    }
}
