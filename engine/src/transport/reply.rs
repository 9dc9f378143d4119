//! What comes of a request on a connection: the head of a reply, or why there is none.

use http::StatusCode;

use crate::message::failure::{Failure, FailureKind};
use crate::message::outcome::Headers;
use crate::transport::reply_body::ReplyBody;

/// Bytes that the head of a reply may have. libcurl's limit is of the same size.
pub(crate) const MAX_HEAD: usize = 300 * 1024;

/// The head of a reply; the body is still to come.
pub(crate) struct ReplyHead {
    pub(crate) status: StatusCode,
    pub(crate) headers: Headers,
    pub(crate) body: ReplyBody,
}

/// Why there is no reply, and whether the request may go out once more.
#[derive(Debug)]
pub(crate) struct SendError {
    pub(crate) failure: Failure,
    pub(crate) resend: Resend,
}

impl SendError {
    pub(crate) fn weird(what: &str) -> Self {
        Self { failure: Failure::new(FailureKind::WeirdReply).with_detail(what), resend: Resend::Never }
    }
}

/// What the end of a connection or a stream says about a request without a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Resend {
    /// Nothing of it was written, because the connection had ended before.
    Unsent,
    /// The server says that it did not process the request (RFC 9113 §8.7).
    Refused {
        /// Whether another try, at once, is likely to be refused as well.
        for_now: bool,
    },
    /// The server asks for HTTP/1.1 (RFC 9113 §7).
    OverHttp1 {
        /// Whether it says that it did not process the request.
        unprocessed: bool,
    },
    /// The connection ended before a byte of a reply came. The request may have been processed.
    Ended,
    /// A reply had begun, or the request would fail again.
    Never,
}
