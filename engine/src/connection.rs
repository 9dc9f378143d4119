use std::future::Future;
use std::rc::Rc;

use bytes::Bytes;
use futures_util::future::Either;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::client::conn::{TrySendError, http1, http2};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{AbortHandle, spawn_local};

use crate::classify;
use crate::failure::{Failure, FailureKind};
use crate::head;
use crate::outcome::Headers;
use crate::pool::Poolable;
use crate::tap::{MAX_HEAD, Record, Tap};

/// Header fields that a reply may have. libcurl allows as many and more; nobody needs them.
const MAX_FIELDS: usize = 1000;

/// An open connection to an origin, as one request holds it.
pub(crate) enum Connection {
    /// HTTP/1.1: one request at a time.
    Http1(Http1),
    /// HTTP/2: a share in a connection that carries many.
    Http2(Http2),
}

pub(crate) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    record: Rc<Record>,
    task: AbortHandle,
}

#[derive(Clone)]
pub(crate) struct Http2 {
    sender: http2::SendRequest<Full<Bytes>>,
}

/// The head of a reply; the body is still to come.
pub(crate) struct ReplyHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: Headers,
    pub(crate) body: Incoming,
}

/// Why there is no reply, and whether the request may go out once more.
#[derive(Debug)]
pub(crate) struct SendError {
    pub(crate) failure: Failure,
    pub(crate) resend: Resend,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resend {
    /// It was not sent, or the server says that it did not process it.
    Always,
    /// It may have been processed; a second time does no harm where the method is idempotent (RFC 9110 §9.2.2).
    IfIdempotent,
    /// A reply had begun, or it would go wrong again.
    Never,
}

impl Connection {
    pub(crate) async fn http1<S>(stream: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (tap, record) = Tap::new(stream);
        let (sender, connection) = http1::Builder::new()
            .ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .max_headers(MAX_FIELDS)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(tap))
            .await
            .map_err(|error| Failure::new(FailureKind::Connect).with_detail(classify::root(&error)))?;
        let task = run(connection);
        Ok(Self::Http1(Http1 { sender, record, task }))
    }

    pub(crate) async fn http2<S>(stream: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (sender, connection) = http2::Builder::new(LocalExecutor)
            .max_header_list_size(MAX_HEAD as u32)
            // Until the server has said how many it takes: what is beyond that it would refuse.
            .initial_max_send_streams(1)
            .handshake(TokioIo::new(stream))
            .await
            .map_err(|error| Failure::new(FailureKind::Connect).with_detail(classify::root(&error)))?;
        run(connection);
        Ok(Self::Http2(Http2 { sender }))
    }

    pub(crate) fn is_shared(&self) -> bool {
        matches!(self, Self::Http2(_))
    }

    /// Sends a request and waits for the head of the reply.
    pub(crate) fn send(&mut self, request: Request<Full<Bytes>>) -> impl Future<Output = Result<ReplyHead, SendError>> {
        match self {
            Self::Http1(connection) => Either::Left(connection.send(request)),
            Self::Http2(connection) => Either::Right(connection.send(request)),
        }
    }

    /// Why the reply's body broke off.
    pub(crate) fn body_failure(&self, error: &hyper::Error) -> Failure {
        match self {
            Self::Http1(connection) => classify::broken_body(error, connection.record.faults()),
            Self::Http2(_) => classify::broken_stream(error, true),
        }
    }

    /// Whether the connection stands ready for the next request, which it does if the last exchange is over in both
    /// directions.
    pub(crate) fn is_ready(&self) -> bool {
        match self {
            Self::Http1(connection) => connection.sender.is_ready(),
            Self::Http2(connection) => connection.sender.is_ready(),
        }
    }

    /// Closes the connection at once, where it is not shared. Dropping it would let it finish what it is at.
    pub(crate) fn abort(self) {
        if let Self::Http1(connection) = self {
            connection.task.abort();
        }
    }
}

impl Poolable for Connection {
    fn is_open(&self) -> bool {
        match self {
            Self::Http1(connection) => !connection.sender.is_closed(),
            Self::Http2(connection) => !connection.sender.is_closed(),
        }
    }

    fn share(&self) -> Option<Self> {
        match self {
            Self::Http1(_) => None,
            Self::Http2(connection) => Some(Self::Http2(connection.clone())),
        }
    }
}

impl Http1 {
    // The request is handed to hyper here and now: it is large, and the future is smaller for not having it.
    fn send(&mut self, request: Request<Full<Bytes>>) -> impl Future<Output = Result<ReplyHead, SendError>> {
        self.record.arm();
        let response = self.sender.try_send_request(request);
        async {
            let response = response.await.map_err(|error| self.send_error(error))?;
            let (parts, body) = response.into_parts();
            if parts.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(SendError::weird("a switch of protocols that nobody asked for"));
            }
            let headers = head::parse(&self.record.head()).map_err(|error| SendError::weird(error.describe()))?;
            Ok(ReplyHead { status: parts.status, headers, body })
        }
    }

    fn send_error(&self, error: TrySendError<Request<Full<Bytes>>>) -> SendError {
        let resend = match error.message() {
            Some(_) => Resend::Always,
            None if self.record.received() => Resend::Never,
            None => Resend::IfIdempotent,
        };
        let failure = classify::no_reply(&error.into_error(), self.record.received(), self.record.faults());
        SendError { failure, resend }
    }
}

impl Http2 {
    fn send(&mut self, request: Request<Full<Bytes>>) -> impl Future<Output = Result<ReplyHead, SendError>> {
        let response = self.sender.try_send_request(request);
        async {
            let (parts, body) = response.await.map_err(Self::send_error)?.into_parts();
            Ok(ReplyHead { status: parts.status, headers: fields(&parts.headers), body })
        }
    }

    fn send_error(error: TrySendError<Request<Full<Bytes>>>) -> SendError {
        let unsent = error.message().is_some();
        let error = error.into_error();
        let resend = if unsent || classify::was_refused(&error) { Resend::Always } else { Resend::IfIdempotent };
        SendError { failure: classify::broken_stream(&error, false), resend }
    }
}

impl SendError {
    fn weird(what: &str) -> Self {
        Self { failure: Failure::new(FailureKind::WeirdReply).with_detail(what), resend: Resend::Never }
    }
}

fn fields(map: &HeaderMap) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in map {
        headers.push(name.as_str().as_bytes(), value.as_bytes());
    }
    headers
}

/// Lets the connection do its reading and writing. Those who wait for it hear of its errors.
fn run<E: 'static>(connection: impl Future<Output = Result<(), E>> + 'static) -> AbortHandle {
    spawn_local(async { _ = connection.await }).abort_handle()
}

/// Runs hyper's HTTP/2 tasks on the engine's thread.
#[derive(Clone, Copy)]
struct LocalExecutor;

impl<F> hyper::rt::Executor<F> for LocalExecutor
where
    F: Future<Output = ()> + 'static,
{
    fn execute(&self, future: F) {
        spawn_local(future);
    }
}
