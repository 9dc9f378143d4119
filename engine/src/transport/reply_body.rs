use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, RecvStream};
use hyper::body::{Body, Frame, Incoming, SizeHint};

/// The body of a reply, as it comes.
pub(crate) enum ReplyBody {
    Http1(Incoming),
    Http2 {
        stream: RecvStream,
        /// What `Content-Length` says, if it says anything. h2 checks that it is true.
        declared: Option<u64>,
    },
}

/// Why a body broke off.
#[derive(Debug)]
pub(crate) enum BodyError {
    Http1(hyper::Error),
    Http2(h2::Error),
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        match &mut *self {
            Self::Http1(body) => Pin::new(body).poll_frame(cx).map_err(BodyError::Http1),
            Self::Http2 { stream, .. } => Poll::Ready(match ready!(stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // It fails only where the stream is gone, which the next call tells.
                    let _ = stream.flow_control().release_capacity(data.len());
                    Some(Ok(Frame::data(data)))
                }
                // The server answered before it had the whole request, and does not need the rest (RFC 9113 §8.1).
                Some(Err(error)) if error.reason() == Some(Reason::NO_ERROR) => None,
                Some(Err(error)) => Some(Err(BodyError::Http2(error))),
                // Trailers are not used.
                None => None,
            }),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(body) => body.size_hint(),
            Self::Http2 { stream, .. } if stream.is_end_stream() => SizeHint::with_exact(0),
            Self::Http2 { declared: Some(declared), .. } => SizeHint::with_exact(*declared),
            Self::Http2 { declared: None, .. } => SizeHint::default(),
        }
    }
}
