use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use openssl::error::ErrorStack;
use openssl::ssl::{self, ErrorCode, Ssl};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_openssl::SslStream;

use crate::transport::tls::exit_guard::{self, Use};
use crate::transport::tls::tls_error;

/// A connection over TLS. Its errors are those that [`tls_error::of_stream`] makes.
pub(crate) struct TlsStream<S> {
    stream: SslStream<S>,
    /// Why nothing can be written any more, until that was reported.
    broken: Option<io::Error>,
    /// Held while it is dropped: fields are dropped in order.
    last: Option<Use>,
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    pub(crate) fn new(ssl: Ssl, stream: S) -> Result<Self, ErrorStack> {
        exit_guard::during(|| SslStream::new(ssl, stream)).map(|stream| Self { stream, broken: None, last: None })
    }

    /// Shakes hands.
    pub(crate) async fn connect(mut self) -> Result<Self, HandshakeError> {
        let connected = poll_fn(|cx| exit_guard::during(|| self.pinned().poll_connect(cx))).await;
        match connected {
            Ok(()) => Ok(self),
            Err(error) => Err(HandshakeError {
                error,
                knows_server: exit_guard::during(|| self.stream.ssl().peer_certificate().is_some()),
            }),
        }
    }

    /// Whether both ends agreed on this protocol (RFC 7301).
    pub(crate) fn speaks(&self, protocol: &[u8]) -> bool {
        self.stream.ssl().selected_alpn_protocol() == Some(protocol)
    }

    fn pinned(&mut self) -> Pin<&mut SslStream<S>> {
        Pin::new(&mut self.stream)
    }

    /// Whether the server has said that there is nothing more (RFC 8446 §6.1), where nothing more came.
    fn has_ended(&mut self, cx: &mut Context<'_>) -> bool {
        let next = self.pinned().poll_peek(cx, &mut [0]);
        matches!(next, Poll::Ready(Err(error)) if error.code() == ErrorCode::ZERO_RETURN)
    }

    /// A server that refuses us says so and closes. A writer meets the close first, with an error that says less.
    /// What the server said last is still to be read, or will be in a moment, since the connection has ended.
    fn poll_last_word(&mut self, cx: &mut Context<'_>) -> Poll<io::Error> {
        let peeked = ready!(self.pinned().poll_peek(cx, &mut [0]));
        let refusal = peeked.err().and_then(|error| tls_error::refusal(&error));
        let broken = self.broken.take().unwrap_or_else(|| io::ErrorKind::BrokenPipe.into());
        Poll::Ready(refusal.unwrap_or_else(|| tls_error::of_stream(broken)))
    }
}

/// Why there is no connection.
pub(crate) struct HandshakeError {
    pub(crate) error: ssl::Error,
    /// Whether the server has shown its certificate, and it was accepted.
    pub(crate) knows_server: bool,
}

impl<S> Drop for TlsStream<S> {
    fn drop(&mut self) {
        self.last = Some(exit_guard::begin());
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let _use = exit_guard::begin();
        let (room, before) = (buf.remaining(), buf.filled().len());
        ready!(self.pinned().poll_read(cx, buf)).map_err(tls_error::of_stream)?;
        if room > 0 && buf.filled().len() == before && !self.has_ended(cx) {
            return Poll::Ready(Err(tls_error::unexpected_end()));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let _use = exit_guard::begin();
        if self.broken.is_none() {
            match ready!(self.pinned().poll_write(cx, buf)) {
                Ok(written) => return Poll::Ready(Ok(written)),
                Err(error) => self.broken = Some(error),
            }
        }
        self.poll_last_word(cx).map(Err)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _use = exit_guard::begin();
        self.pinned().poll_flush(cx).map_err(tls_error::of_stream)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _use = exit_guard::begin();
        self.pinned().poll_shutdown(cx).map_err(tls_error::of_stream)
    }
}
