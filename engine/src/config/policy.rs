use std::path::PathBuf;
use std::time::Duration;

use http::HeaderValue;

use crate::address::host_pattern::HostPattern;
use crate::address::no_proxy::NoProxy;
use crate::config::proxy::Proxy;
use crate::egress::Egress;
use crate::retry::RetryPolicy;
use crate::transport::tls::client_identity::ClientIdentity;

/// The configuration that the engine works under. A change applies to what starts after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Requests under way at once, over all origins.
    pub max_in_flight: usize,
    /// Connections open at once, those that wait for reuse included; so it bounds the requests under way, too. Besides
    /// these, a handful of file descriptors is in use.
    pub max_connections: usize,
    /// Requests under way at once to one [`Origin`](crate::Origin), which is that of the request, not of a redirect.
    pub max_in_flight_per_origin: usize,
    /// Failures to connect in a row after which an origin is sick and gets less than the limits allow. At 0 it never
    /// is.
    pub breaker_failures: u32,
    /// Bytes of bodies in memory: those of requests that were handed over, and of replies until the host has dropped
    /// them. What exceeds it waits in the network. One reply may always go on.
    pub max_in_flight_bytes: usize,
    /// Bytes of a reply's body, as received and again as decoded; a longer one is a failure.
    pub max_response_bytes: usize,
    /// How many redirects one request may follow.
    pub max_redirects: u32,
    /// How long an unused connection is kept, unless the server says that it keeps it for a shorter time (`Keep-Alive:
    /// timeout=`). At most as many are kept as requests may be under way.
    pub idle_timeout: Duration,
    /// A PEM file of certificates to trust besides the system's.
    pub ca_file: Option<PathBuf>,
    /// The certificate that we show, and to whom.
    pub client_identity: Option<ClientIdentity>,
    /// Hosts, also proxies, whose certificates are accepted unseen.
    pub unverified_hosts: Vec<HostPattern>,
    /// The proxy that requests go through.
    pub proxy: Option<Proxy>,
    /// The hosts that are reached without it.
    pub no_proxy: NoProxy,
    /// Where requests may go.
    pub egress: Egress,
    /// Whether compressed replies are asked for. Those that come are decompressed in any case, except for a request
    /// that sets `Accept-Encoding` or `Range` itself: it gets the body as it came.
    pub accept_encoding: bool,
    /// Whether a failure keeps what came of the body of the reply.
    pub keep_partial: bool,
    /// When requests are tried again, and how long a `Retry-After` may hold an origin.
    pub retry: RetryPolicy,
    /// `User-Agent` of the requests that name none.
    pub user_agent: String,
}

impl Policy {
    /// How many requests may be under way to an origin of which it is not known whether it accepts connections. That
    /// is known after one round trip. If the origin does not answer, it takes as long as the timeout, and many such
    /// origins at once must not take all places.
    pub fn max_in_flight_untried(&self) -> usize {
        (self.max_in_flight / 64).max(1)
    }

    /// None if the text cannot stand in a header.
    pub(crate) fn user_agent_field(&self) -> Option<HeaderValue> {
        HeaderValue::from_str(&self.user_agent).ok().filter(|value| !value.is_empty())
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            max_in_flight: 1000,
            max_connections: usize::MAX,
            max_in_flight_per_origin: 200,
            breaker_failures: 5,
            max_in_flight_bytes: 64 << 20,
            max_response_bytes: 64 << 20,
            max_redirects: 30,
            idle_timeout: Duration::from_secs(15),
            ca_file: None,
            client_identity: None,
            unverified_hosts: Vec::new(),
            proxy: None,
            no_proxy: NoProxy::default(),
            egress: Egress::default(),
            accept_encoding: false,
            keep_partial: false,
            retry: RetryPolicy::default(),
            user_agent: concat!("pg_net/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
