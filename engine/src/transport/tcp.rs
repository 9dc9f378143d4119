//! Opens TCP connections: the one place where addresses are dialled.

use std::convert::Infallible;
use std::future::{Ready, ready};
use std::iter;
use std::net::SocketAddr;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::legacy::connect::dns::Name;
use tower_service::Service;
use url::Host;

use crate::address::Addresses;
use crate::message::failure::{Failure, FailureKind};
use crate::trace::progress::{Phase, Progress};
use crate::transport::classify;
use crate::transport::resolver::Resolver;
use crate::transport::wire::Wire;

/// The addresses of a host.
pub(crate) async fn resolve(
    host: &Host<&str>,
    port: u16,
    resolver: &Resolver,
    progress: &Progress,
) -> Result<Addresses, Failure> {
    match host {
        Host::Ipv4(address) => Ok(iter::once(SocketAddr::from((*address, port))).collect()),
        Host::Ipv6(address) => Ok(iter::once(SocketAddr::from((*address, port))).collect()),
        Host::Domain(name) => progress.look_up(resolver.resolve(name)).await,
    }
}

/// Connects to the first of these addresses that accepts.
pub(crate) async fn dial(addresses: &Addresses, port: u16, progress: &Progress) -> Result<Wire, Failure> {
    progress.enter(Phase::Handshake);
    let connect_failure = |error: &str| Failure::new(FailureKind::Connect).with_detail(error);
    // The resolver knows the addresses. Only the port counts here.
    let uri = format!("http://resolved:{port}").parse::<Uri>();
    let uri = uri.map_err(|error| connect_failure(&error.to_string()))?;
    // The connector divides its time evenly among the addresses. If it got only what is left until the deadline, it
    // could give up at the very moment of the deadline, and the kind of failure would be chance.
    let patience = (addresses.len() > 1).then(|| progress.remaining() * 5 / 4);
    let mut connector = HttpConnector::new_with_resolver(Resolved(addresses.to_vec()));
    connector.enforce_http(false);
    connector.set_nodelay(true);
    connector.set_connect_timeout(patience);
    let stream = connector.call(uri).await.map_err(|error| connect_failure(&classify::root(&error).to_string()))?;
    let wire = Wire::new(stream.into_inner());
    progress.reach(wire.peer_addr());
    Ok(wire)
}

/// A resolver that knows the answer: what was looked up, and checked, is what is dialled.
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
