use std::cell::Cell;
use std::rc::Rc;

use bytes::Bytes;
use http::{HeaderMap, Request};
use http_body_util::Full;
use hyper::client::conn::TrySendError;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::spawn_local;

use crate::classify;
use crate::connection::{MAX_HEAD, ReplyHead, Resend, SendError};
use crate::failure::{Failure, FailureKind};
use crate::outcome::Headers;
use crate::tap::{Record, Tap};

/// A share in an HTTP/2 connection (RFC 9113), which is open as long as somebody holds one.
#[derive(Clone)]
pub(crate) struct Http2 {
    sender: SendRequest<Full<Bytes>>,
    record: Rc<Record>,
    /// How much had been read when this share's request was sent.
    reads_before: u64,
    /// Whether the connection seems dead, and should carry no further requests.
    retired: Rc<Cell<bool>>,
}

impl Http2 {
    pub(crate) async fn over<S>(stream: S) -> Result<Self, Failure>
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (tap, record) = Tap::new(stream);
        let (sender, connection) = Builder::new(LocalExecutor)
            .max_header_list_size(MAX_HEAD as u32)
            // Until the server has said how many it takes: what is beyond that it would refuse.
            .initial_max_send_streams(1)
            .handshake(TokioIo::new(tap))
            .await
            .map_err(|error| Failure::new(FailureKind::Connect).with_detail(classify::root(&error)))?;
        // Those who wait for the connection hear of its errors.
        spawn_local(async { _ = connection.await });
        Ok(Self { sender, record, reads_before: 0, retired: Rc::default() })
    }

    pub(crate) fn send(&mut self, request: Request<Full<Bytes>>) -> impl Future<Output = Result<ReplyHead, SendError>> {
        self.reads_before = self.record.reads();
        let response = self.sender.try_send_request(request);
        async {
            let (parts, body) = response.await.map_err(send_error)?.into_parts();
            Ok(ReplyHead { status: parts.status, headers: fields(&parts.headers), body })
        }
    }

    pub(crate) fn is_open(&self) -> bool {
        !self.retired.get() && !self.sender.is_closed()
    }

    /// Lets go of a request that is not over, which resets its stream.
    ///
    /// Where the server sent nothing at all since the request, to anybody, the connection may well be dead. TCP would
    /// take a quarter of an hour to find out, and all requests until then would time out.
    pub(crate) fn abort(self) {
        if self.record.reads() == self.reads_before {
            self.retired.set(true);
        }
    }
}

fn send_error(error: TrySendError<Request<Full<Bytes>>>) -> SendError {
    let unsent = error.message().is_some();
    let error = error.into_error();
    let resend = if unsent || classify::was_refused(&error) { Resend::Always } else { Resend::IfIdempotent };
    SendError { failure: classify::broken_stream(&error, false), resend }
}

fn fields(map: &HeaderMap) -> Headers {
    let mut headers = Headers::default();
    for (name, value) in map {
        headers.push(name.as_str().as_bytes(), value.as_bytes());
    }
    headers
}

/// Runs hyper's tasks on the engine's thread.
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
