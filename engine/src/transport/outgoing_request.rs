use bytes::Bytes;
use http::Request;
use http_body_util::Full;

/// A request, ready to go out on a connection.
pub(crate) struct OutgoingRequest {
    /// What hyper is given. For HTTP/1.1, that is method and body, which decide on the framing, and no more.
    pub(crate) request: Request<Full<Bytes>>,
    /// The head as it goes out over HTTP/1.1 (RFC 9112 §2.1); empty for HTTP/2.
    pub(crate) head: Vec<u8>,
    pub(crate) body_bytes: usize,
}
