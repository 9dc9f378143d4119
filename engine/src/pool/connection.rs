use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use futures_util::future::Either;
use http::HeaderValue;

use crate::message::failure::Failure;
use crate::pool::connection_slots::{ConnectionSlots, Slot};
use crate::pool::idle_pool::Poolable;
use crate::transport::classify;
use crate::transport::http1::Http1;
use crate::transport::http2::Http2;
use crate::transport::outgoing_request::OutgoingRequest;
use crate::transport::reply::{ReplyHead, SendError};
use crate::transport::reply_body::BodyError;
use crate::transport::tls::tls_error::CertificateRefused;
use crate::transport::wire::View;
use crate::transport::wire_tap::Faults;

/// An open connection to an origin, as one request holds it.
pub(crate) struct Connection {
    protocol: Protocol,
    remote: Option<SocketAddr>,
    view: View,
    /// How long it may be idle, by its last reply.
    idle_limit: Option<Duration>,
    /// Boxed, because few connections have it.
    forwarding: Option<Box<Forwarding>>,
    /// Common to all shares in it.
    open: Option<Rc<Open>>,
}

/// Counts a connection from the moment that it is begun until it is closed: among all, and on its route.
pub(crate) struct Open {
    count: Rc<Cell<usize>>,
    slot: Slot<Connection>,
}

impl Open {
    pub(crate) fn count(count: &Rc<Cell<usize>>, slot: Slot<Connection>) -> Self {
        count.set(count.get() + 1);
        Self { count: count.clone(), slot }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.count.set(self.count.get() - 1);
    }
}

/// A proxy at the other end that forwards requests.
pub(crate) struct Forwarding {
    /// `Proxy-Authorization`.
    pub(crate) authorization: Option<HeaderValue>,
}

/// What is spoken on a connection.
pub(crate) enum Protocol {
    /// One request at a time.
    Http1(Http1),
    /// A share in a connection that carries many.
    Http2(Http2),
}

impl Connection {
    /// `remote` is the other end.
    pub(crate) fn new(protocol: Protocol, remote: Option<SocketAddr>, view: View) -> Self {
        Self { protocol, remote, view, idle_limit: None, forwarding: None, open: None }
    }

    /// To a proxy that forwards requests.
    pub(crate) fn forwarding(self, authorization: Option<HeaderValue>) -> Self {
        Self { forwarding: Some(Box::new(Forwarding { authorization })), ..self }
    }

    /// Keeps the count of it.
    pub(crate) fn counted(self, open: Open) -> Self {
        Self { open: Some(Rc::new(open)), ..self }
    }

    /// The slots of its route, with the requests that wait for it.
    pub(crate) fn slots(&self) -> Option<&Rc<ConnectionSlots<Self>>> {
        self.open.as_ref().map(|open| open.slot.slots())
    }

    pub(crate) fn forwards(&self) -> Option<&Forwarding> {
        self.forwarding.as_deref()
    }

    pub(crate) fn remote(&self) -> Option<SocketAddr> {
        self.remote
    }

    pub(crate) fn version(&self) -> &'static str {
        match &self.protocol {
            Protocol::Http1(_) => "HTTP/1.1",
            Protocol::Http2(_) => "HTTP/2",
        }
    }

    /// The share in an HTTP/2 connection that it is.
    pub(crate) fn http2(&self) -> Option<&Http2> {
        match &self.protocol {
            Protocol::Http1(_) => None,
            Protocol::Http2(connection) => Some(connection),
        }
    }

    /// What the pool keeps of an HTTP/2 connection: all but the place for a stream.
    pub(crate) fn keep(&self) -> Option<Self> {
        self.http2().map(|connection| self.with_share(connection.keep()))
    }

    fn with_share(&self, share: Http2) -> Self {
        let (view, open) = (self.view.clone(), self.open.clone());
        Self { open, ..Self::new(Protocol::Http2(share), self.remote, view) }
    }

    /// Limits how long it is kept while it is not in use.
    pub(crate) fn limit_idle(&mut self, limit: Option<Duration>) {
        self.idle_limit = limit;
    }

    /// Sends a request and waits for the head of the reply.
    pub(crate) fn send(&mut self, message: OutgoingRequest) -> impl Future<Output = Result<ReplyHead, SendError>> {
        match &mut self.protocol {
            Protocol::Http1(connection) => Either::Left(connection.send(message)),
            Protocol::Http2(connection) => Either::Right(connection.send(message.request)),
        }
    }

    /// The failure of whatever is tried on a connection whose server has refused our certificate.
    pub(crate) fn refusal(&self) -> Option<Failure> {
        let faults = match &self.protocol {
            Protocol::Http1(connection) => connection.faults(),
            Protocol::Http2(connection) => connection.faults(),
        };
        faults.refusal.map(CertificateRefused::failure)
    }

    /// Why the reply's body broke off.
    pub(crate) fn body_failure(&self, error: &BodyError) -> Failure {
        if let Some(refusal) = self.refusal() {
            return refusal;
        }
        match (&self.protocol, error) {
            (Protocol::Http1(connection), BodyError::Http1(error)) => classify::broken_body(error, connection.faults()),
            (_, BodyError::Http1(error)) => classify::broken_body(error, Faults::default()),
            (_, BodyError::Http2(error)) => classify::broken_stream(error, true),
        }
    }

    /// Whether the next request may have the connection to itself: the last exchange is over in both directions.
    pub(crate) fn is_free(&self) -> bool {
        match &self.protocol {
            Protocol::Http1(connection) => connection.is_ready(),
            Protocol::Http2(_) => false,
        }
    }

    /// Ends an exchange that is not over.
    pub(crate) fn abort(self) {
        match self.protocol {
            Protocol::Http1(connection) => connection.abort(),
            Protocol::Http2(connection) => connection.abort(),
        }
    }
}

impl Poolable for Connection {
    fn is_open(&self) -> bool {
        match &self.protocol {
            Protocol::Http1(connection) => connection.is_open(),
            Protocol::Http2(connection) => connection.is_open(),
        }
    }

    fn has_unread(&self) -> bool {
        !self.is_in_use() && !self.view.is_quiet()
    }

    fn is_shared(&self) -> bool {
        self.http2().is_some()
    }

    fn share(&self) -> Option<Self> {
        self.http2()?.share().map(|share| self.with_share(share))
    }

    fn is_in_use(&self) -> bool {
        self.http2().is_some_and(Http2::is_in_use)
    }

    fn idle_limit(&self) -> Option<Duration> {
        self.idle_limit
    }
}
