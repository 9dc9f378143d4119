use std::net::{IpAddr, Ipv4Addr};

use http::HeaderValue;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use url::{Host, Position};

use crate::address::Addresses;
use crate::address::no_proxy::NoProxy;
use crate::address::target::Target;
use crate::config::policy::Policy;
use crate::config::proxy::{Proxy, ProxyKind};
use crate::egress::Egress;
use crate::egress::rule::RuleSet;
use crate::message::failure::{Failure, FailureKind};
use crate::pool::connection::{Connection, Open, Protocol};
use crate::trace::progress::Progress;
use crate::transport::credentials::Credentials;
use crate::transport::files;
use crate::transport::http1::Http1;
use crate::transport::http2::Http2;
use crate::transport::resolver::Resolver;
use crate::transport::socks;
use crate::transport::tcp;
use crate::transport::tls::{Offer, Tls, TlsOptions};
use crate::transport::tunnel;
use crate::transport::wire::Wire;

/// Opens connections as a policy says: TCP, proxy, TLS, and the protocol that TLS agreed on.
pub(crate) struct Connector {
    tls: Tls,
    proxy: Option<Proxy>,
    /// For the proxy.
    credentials: OnceCell<Option<Credentials>>,
    no_proxy: NoProxy,
    egress: Egress,
    user_agent: Option<HeaderValue>,
}

/// A connection to a proxy, over TLS or not.
trait Stream: AsyncRead + AsyncWrite + Unpin {}

impl<S: AsyncRead + AsyncWrite + Unpin> Stream for S {}

/// Where a connection is to lead.
struct End<'a> {
    host: Host<&'a str>,
    port: u16,
    target: &'a Target,
    rules: Option<&'a RuleSet>,
    offer: Offer,
}

impl Connector {
    pub(crate) fn new(policy: &Policy) -> Self {
        Self {
            tls: Tls::new(tls_options(policy)),
            proxy: policy.proxy.clone(),
            credentials: OnceCell::new(),
            no_proxy: policy.no_proxy.clone(),
            egress: policy.egress,
            user_agent: policy.user_agent_field(),
        }
    }

    /// Whether connections opened under a policy would be the same.
    pub(crate) fn serves(&self, policy: &Policy) -> bool {
        *self.tls.options() == tls_options(policy)
            && self.proxy == policy.proxy
            && self.no_proxy == policy.no_proxy
            && self.egress == policy.egress
            && self.user_agent == policy.user_agent_field()
    }

    /// Opens a connection to where `target` points, if policy and rules allow it. `offer` says which protocols may be
    /// agreed on over TLS. `count` counts the connection, as soon as it is known what to dial.
    pub(crate) async fn connect(
        &self,
        target: &Target,
        rules: Option<&RuleSet>,
        offer: Offer,
        resolver: &Resolver,
        progress: &Progress,
        count: impl FnOnce() -> Open,
    ) -> Result<Connection, Failure> {
        let url = target.url();
        let port = url.port_or_known_default().unwrap_or_default();
        let host = url.host().ok_or_else(|| Failure::new(FailureKind::Resolve))?;
        let end = End { host, port, target, rules, offer };
        if let Some(proxy) = self.proxy.as_ref().filter(|_| !self.no_proxy.matches(&end.host, port)) {
            return Box::pin(self.connect_through(proxy, &end, resolver, progress, count)).await;
        }
        let addresses = self.addresses(&end, resolver, progress).await?;
        let open = count();
        let stream = tcp::dial(&addresses, port, progress).await?;
        let (remote, view) = (stream.peer_addr(), stream.view());
        Ok(Connection::new(self.speak(&end, stream).await?, remote, view).counted(open))
    }

    /// Looks up the names that a connection to `target` needs, and leaves the results with the resolver. A request
    /// that will wait for others first does not have to wait for a name after that.
    pub(crate) async fn look_up(
        &self,
        target: &Target,
        resolver: &Resolver,
        progress: &Progress,
    ) -> Result<(), Failure> {
        let Some(host) = target.url().host() else { return Ok(()) };
        let port = target.url().port_or_known_default().unwrap_or_default();
        let proxy = self.proxy.as_ref().filter(|_| !self.no_proxy.matches(&host, port));
        if proxy.is_none_or(|proxy| proxy.kind == ProxyKind::Socks5) {
            tcp::resolve(&host, port, resolver, progress).await?;
        }
        if let Some(proxy) = proxy {
            tcp::resolve(&proxy.host(), proxy.port, resolver, progress).await.map_err(Failure::of_proxy)?;
        }
        Ok(())
    }

    /// The addresses of the host that may be dialled. What was checked here is what is dialled.
    async fn addresses(&self, end: &End<'_>, resolver: &Resolver, progress: &Progress) -> Result<Addresses, Failure> {
        let addresses = tcp::resolve(&end.host, end.port, resolver, progress).await?;
        Ok(self.egress.permitted(&end.host, end.port, &addresses, end.rules)?)
    }

    async fn connect_through(
        &self,
        proxy: &Proxy,
        end: &End<'_>,
        resolver: &Resolver,
        progress: &Progress,
        count: impl FnOnce() -> Open,
    ) -> Result<Connection, Failure> {
        let read = || files::read(FailureKind::Proxy, proxy, Proxy::credentials);
        let credentials = self.credentials.get_or_try_init(read).await?.as_ref();
        let authorization = credentials.and_then(Credentials::basic);
        // The proxy is asked for the first address; to try another takes another connection to the proxy.
        let told = match proxy.kind {
            ProxyKind::Socks5 => {
                let addresses = self.addresses(end, resolver, progress).await?;
                // Of the two addresses of localhost, servers that listen on one alone mostly listen on this one.
                let usual = addresses.iter().find(|address| address.ip() == Ipv4Addr::LOCALHOST);
                match usual.unwrap_or(&addresses[0]).ip() {
                    IpAddr::V4(address) => Host::Ipv4(address),
                    IpAddr::V6(address) => Host::Ipv6(address),
                }
            }
            _ => {
                self.egress.check_behind_proxy(&end.host, end.port, end.rules)?;
                end.host.clone()
            }
        };
        let addresses = tcp::resolve(&proxy.host(), proxy.port, resolver, progress).await.map_err(Failure::of_proxy)?;
        let open = count();
        // The proxy is the administrator's choice. Rules on targets do not apply to it.
        let stream = tcp::dial(&addresses, proxy.port, progress).await.map_err(Failure::of_proxy)?;
        let (remote, view) = (stream.peer_addr(), stream.view());
        let protocol = match proxy.kind {
            ProxyKind::Socks5 | ProxyKind::Socks5h => {
                let mut stream = stream;
                socks::connect(&mut stream, &told, end.port, credentials).await?;
                self.speak(end, stream).await?
            }
            ProxyKind::Http | ProxyKind::Https => {
                let stream = self.to_http_proxy(proxy, stream).await.map_err(Failure::of_proxy)?;
                if end.target.url().scheme() == "http" {
                    let protocol = Protocol::Http1(Http1::over(stream).await?);
                    return Ok(Connection::new(protocol, remote, view).forwarding(authorization).counted(open));
                }
                let fields = [("Proxy-Authorization", authorization), ("User-Agent", self.user_agent.clone())];
                let authority = &end.target.url()[Position::BeforeHost..Position::AfterHost];
                let stream = tunnel::open(stream, &format!("{authority}:{}", end.port), &fields).await?;
                self.speak(end, stream).await?
            }
        };
        Ok(Connection::new(protocol, remote, view).counted(open))
    }

    async fn to_http_proxy(&self, proxy: &Proxy, stream: Wire) -> Result<Box<dyn Stream>, Failure> {
        Ok(match proxy.kind {
            ProxyKind::Https => Box::new(self.tls.handshake(&proxy.host(), proxy.port, stream, Offer::Http1).await?),
            _ => Box::new(stream),
        })
    }

    /// Settles on a protocol with the server at the other end.
    async fn speak<S>(&self, end: &End<'_>, stream: S) -> Result<Protocol, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        if end.target.url().scheme() == "http" {
            return Http1::over(stream).await.map(Protocol::Http1);
        }
        let stream = self.tls.handshake(&end.host, end.port, stream, end.offer).await?;
        if stream.speaks(b"h2") {
            Http2::over(stream).await.map(Protocol::Http2)
        } else {
            Http1::over(stream).await.map(Protocol::Http1)
        }
    }
}

fn tls_options(policy: &Policy) -> TlsOptions {
    TlsOptions {
        ca_file: policy.ca_file.clone(),
        identity: policy.client_identity.clone(),
        unverified: policy.unverified_hosts.clone(),
    }
}
