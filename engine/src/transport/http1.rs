pub(crate) mod head;
pub(crate) mod head_writer;
pub(crate) mod leniency;
pub(crate) mod line_feeds;

use std::rc::Rc;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::Full;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http1::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::{AbortHandle, spawn_local};

use crate::message::failure::{Failure, FailureKind};
use crate::transport::classify;
use crate::transport::outgoing_request::OutgoingRequest;
use crate::transport::reply::{MAX_HEAD, ReplyHead, Resend, SendError};
use crate::transport::reply_body::ReplyBody;
use crate::transport::wire_tap::{Faults, WireLog, WireTap};

/// Header fields that a reply may have.
const MAX_FIELDS: usize = 1000;

/// An HTTP/1.1 connection (RFC 9112).
pub(crate) struct Http1 {
    sender: SendRequest<Full<Bytes>>,
    log: Rc<WireLog>,
    /// Reads and writes.
    task: AbortHandle,
}

impl Http1 {
    pub(crate) async fn over<S>(stream: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (tap, log) = WireTap::new(stream);
        let (sender, connection) = Builder::new()
            .ignore_invalid_headers_in_responses(true)
            .allow_spaces_after_header_name_in_responses(true)
            .allow_obsolete_multiline_headers_in_responses(true)
            .max_headers(MAX_FIELDS)
            .max_header_size(MAX_HEAD)
            .max_buf_size(MAX_HEAD)
            .handshake(TokioIo::new(tap))
            .await
            .map_err(|error| Failure::new(FailureKind::Connect).with_detail(classify::root(&error)))?;
        // Its errors reach the requests by their own futures.
        let task = spawn_local(async { _ = connection.await }).abort_handle();
        Ok(Self { sender, log, task })
    }

    // The request is handed to hyper here and now: it is large, and the future is smaller for not having it.
    pub(crate) fn send(&mut self, message: OutgoingRequest) -> impl Future<Output = Result<ReplyHead, SendError>> {
        self.log.arm(message.head, message.body_bytes);
        let response = self.sender.try_send_request(message.request);
        async {
            let response = response.await.map_err(|error| self.send_error(error))?;
            let (parts, body) = response.into_parts();
            if parts.status == StatusCode::SWITCHING_PROTOCOLS {
                return Err(SendError::weird("a switch of protocols that nobody asked for"));
            }
            let headers = head::parse(&self.log.head()).map_err(|error| SendError::weird(error.describe()))?;
            Ok(ReplyHead { status: parts.status, headers, body: ReplyBody::Http1(body) })
        }
    }

    fn send_error(&self, error: TrySendError<Request<Full<Bytes>>>) -> SendError {
        let received = self.log.received();
        let resend = match error.message() {
            Some(_) => Resend::Unsent,
            None if received => Resend::Never,
            None if !self.log.written() => Resend::Unsent,
            None => Resend::Ended,
        };
        SendError { failure: classify::no_reply(&error.into_error(), received, self.faults()), resend }
    }

    pub(crate) fn faults(&self) -> Faults {
        self.log.faults()
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.sender.is_closed()
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.sender.is_ready() && !self.log.is_doubtful()
    }

    /// Closes the connection at once. Dropping it would let it finish what it is at.
    pub(crate) fn abort(self) {
        self.task.abort();
    }
}
