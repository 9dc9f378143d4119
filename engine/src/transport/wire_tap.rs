use std::cell::{Ref, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use memchr::memmem;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::transport::http1::head::HeadScanner;
use crate::transport::http1::head_writer::HeadWriter;
use crate::transport::http1::leniency;
use crate::transport::http1::line_feeds::{self, Ending, Mender};
use crate::transport::reply::MAX_HEAD;
use crate::transport::tls::tls_error::CertificateRefused;

/// A connection that keeps the head of the HTTP/1.1 reply on it, and remembers how it broke.
///
/// It sits between hyper and the socket, above TLS. Until the first request is written it holds back what the server
/// sends: hyper would refuse bytes that come before a request. The head of a reply passes when it is whole, mended if
/// necessary; the head of a request is replaced by ours.
///
/// After the request can no longer be written, the reply is still read: a server that refuses a long body may say so
/// and close while the body is on its way.
pub(crate) struct WireTap<S> {
    stream: S,
    log: Rc<WireLog>,
}

/// What a [`WireTap`] saw of the exchange that is under way.
#[derive(Debug, Default)]
pub(crate) struct WireLog(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    reply: Reply,
    scanner: HeadScanner,
    /// What came of a head that is not whole, or waits to be read.
    pieces: Vec<u8>,
    /// Whether a head, or the chunks behind it, had to be mended.
    mended: bool,
    /// Whether the reply to the request under way may have a body in chunks.
    takes_body: bool,
    chunks: Chunks,
    received: bool,
    written: bool,
    reads: u64,
    faults: Faults,
    /// Whether a byte was ever written.
    asked: bool,
    /// The reader that waits for that.
    held_back: Option<Waker>,
    /// None where heads go out as they are: over HTTP/2.
    head_writer: Option<HeadWriter>,
}

/// What is done about the chunks of a body.
#[derive(Debug, Default)]
enum Chunks {
    /// They pass.
    #[default]
    Pass,
    /// Their first line has not come. The body begins at this place of the pieces.
    Wait(usize),
    Mend(Mender),
}

/// How far the reply has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reply {
    /// What comes next is not a head: the last one is complete or too long to be kept, or there was no request yet.
    #[default]
    Beyond,
    /// The next bytes belong to the head.
    Head,
}

/// The errors that the socket or TLS reported.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Faults {
    pub(crate) read: Option<io::ErrorKind>,
    pub(crate) write: Option<io::ErrorKind>,
    /// The word for it where the server refused our certificate.
    pub(crate) refusal: Option<&'static str>,
}

impl Faults {
    fn note(&mut self, error: &io::Error) {
        self.refusal = self.refusal.or_else(|| CertificateRefused::in_error(error));
    }
}

impl WireLog {
    /// Prepares for the next request, with this head in place of the one that hyper writes, and for its reply.
    pub(crate) fn arm(&self, head: Vec<u8>, body_bytes: usize) {
        let mut state = self.0.borrow_mut();
        state.takes_body = !head.starts_with(b"HEAD ");
        state.chunks = Chunks::Pass;
        state.head_writer.get_or_insert_default().expect(head, body_bytes);
        state.reply = Reply::Head;
        state.scanner.clear();
        state.received = false;
        state.written = false;
    }

    /// Whether a byte has come since the request, also of an interim reply.
    pub(crate) fn received(&self) -> bool {
        self.0.borrow().received
    }

    /// Whether a byte was written since then.
    pub(crate) fn written(&self) -> bool {
        self.0.borrow().written
    }

    /// How often something was read; a sign of life.
    pub(crate) fn reads(&self) -> u64 {
        self.0.borrow().reads
    }

    pub(crate) fn faults(&self) -> Faults {
        self.0.borrow().faults
    }

    /// The head of the final reply, once it has come.
    pub(crate) fn head(&self) -> Ref<'_, [u8]> {
        Ref::map(self.0.borrow(), |state| state.scanner.head())
    }

    /// Whether the connection should not be used again: a head was mended, a request was not written to its end, or
    /// more came than was asked for.
    pub(crate) fn is_doubtful(&self) -> bool {
        let state = self.0.borrow();
        state.mended || state.faults.write.is_some() || !state.pieces.is_empty()
    }
}

impl State {
    /// Notes what is written, also by a write that is not finished.
    fn note_wrote(&mut self) {
        self.written |= self.head_writer.as_mut().is_some_and(HeadWriter::take_wrote);
    }

    /// Gives what waits to be read, as far as there is room.
    fn pass(&mut self, buf: &mut ReadBuf<'_>) {
        let passing = self.pieces.len().min(buf.remaining());
        buf.put_slice(&self.pieces[..passing]);
        self.pieces.drain(..passing);
    }

    /// Looks at what came. Whether it may pass now.
    fn observe(&mut self, bytes: &mut [u8]) -> bool {
        if bytes.is_empty() {
            if let Chunks::Wait(_) = self.chunks {
                self.chunks = Chunks::Pass;
            }
            return true;
        }
        self.reads += 1;
        if self.reply != Reply::Head {
            return self.observe_chunks(bytes);
        }
        self.received = true;
        let is_whole = self.scanner.feed(bytes);
        if is_whole && self.pieces.is_empty() {
            self.reply = Reply::Beyond;
            self.mended |= mend(self.scanner.head(), bytes);
            return !self.takes_chunks() || self.look_at_chunks(bytes);
        }
        self.pieces.extend_from_slice(bytes);
        if is_whole {
            self.mended |= mend(self.scanner.head(), &mut self.pieces);
        }
        // hyper refuses a longer head itself.
        if is_whole || self.scanner.head().len() > MAX_HEAD {
            self.reply = Reply::Beyond;
        }
        if is_whole && self.takes_chunks() {
            let pieces = std::mem::take(&mut self.pieces);
            if !self.look_at_chunks(&pieces) {
                return false;
            }
            if self.pieces.is_empty() {
                self.pieces = pieces;
            }
        }
        // Interim heads need no mending, and what is not HTTP is refused at once.
        let may_be_odd = leniency::may_become_a_head(self.scanner.head()) && self.pieces.len() <= MAX_HEAD;
        self.reply == Reply::Beyond || !may_be_odd
    }
}

impl State {
    fn takes_chunks(&self) -> bool {
        self.takes_body && line_feeds::announces_chunks(self.scanner.head())
    }

    /// Looks at a whole head and what came behind it. Whether they may pass; if there are pieces, they pass as these.
    fn look_at_chunks(&mut self, bytes: &[u8]) -> bool {
        let Some(at) = memmem::find(bytes, self.scanner.head()) else { return true };
        let body = at + self.scanner.head().len();
        if Ending::of(&bytes[body..]) == Ending::Usual {
            return true;
        }
        self.pieces.extend_from_slice(bytes);
        self.chunks = Chunks::Wait(body);
        self.decide()
    }

    fn observe_chunks(&mut self, bytes: &[u8]) -> bool {
        match &mut self.chunks {
            Chunks::Pass => true,
            Chunks::Wait(_) => {
                self.pieces.extend_from_slice(bytes);
                self.decide()
            }
            Chunks::Mend(mender) => {
                mender.feed(bytes, &mut self.pieces);
                !self.pieces.is_empty()
            }
        }
    }

    /// Whether it is known what the first line of the chunks is like.
    fn decide(&mut self) -> bool {
        let Chunks::Wait(body) = self.chunks else { return true };
        match Ending::of(&self.pieces[body..]) {
            Ending::Unknown => return false,
            Ending::Usual => self.chunks = Chunks::Pass,
            Ending::Bare => {
                let raw = self.pieces.split_off(body);
                let mut mender = Mender::default();
                mender.feed(&raw, &mut self.pieces);
                self.chunks = Chunks::Mend(mender);
                self.mended = true;
            }
        }
        true
    }
}

/// Mends a head where it stands among the bytes that came with it.
fn mend(head: &[u8], bytes: &mut [u8]) -> bool {
    leniency::is_odd(head)
        && memmem::find(bytes, head).is_some_and(|at| leniency::mend(&mut bytes[at..at + head.len()]))
}

impl<S> WireTap<S> {
    pub(crate) fn new(stream: S) -> (Self, Rc<WireLog>) {
        let log = Rc::new(WireLog::default());
        (Self { stream, log: log.clone() }, log)
    }

    fn note_write(&self, result: &io::Result<usize>) {
        let mut state = self.log.0.borrow_mut();
        match result {
            Ok(_) => {
                state.asked = true;
                if let Some(reader) = state.held_back.take() {
                    reader.wake();
                }
            }
            Err(error) => {
                state.faults.note(error);
                state.faults.write.get_or_insert(error.kind());
            }
        }
    }

    /// Where the reply is still to be read, a failed write counts as the end of writing.
    fn go_on(&self, result: io::Result<usize>, offered: usize) -> io::Result<usize> {
        self.note_write(&result);
        let mut state = self.log.0.borrow_mut();
        if result.is_err() && state.head_writer.is_some() {
            state.asked = true;
            return Ok(offered);
        }
        result
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WireTap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        {
            let mut state = self.log.0.borrow_mut();
            if !state.asked {
                state.held_back = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let tap = &mut *self;
        let before = buf.filled().len();
        loop {
            let mut state = tap.log.0.borrow_mut();
            let waits = matches!(state.chunks, Chunks::Wait(_));
            if state.reply == Reply::Beyond && !state.pieces.is_empty() && !waits {
                state.pass(buf);
                return Poll::Ready(Ok(()));
            }
            drop(state);
            let result = ready!(Pin::new(&mut tap.stream).poll_read(cx, buf));
            let mut state = tap.log.0.borrow_mut();
            if let Err(error) = result {
                state.faults.note(&error);
                state.faults.read.get_or_insert(error.kind());
                return Poll::Ready(Err(error));
            }
            if !state.observe(&mut buf.filled_mut()[before..]) {
                // It is in the pieces, and more is to come.
                buf.set_filled(before);
                continue;
            }
            if !state.pieces.is_empty() {
                buf.set_filled(before);
                state.pass(buf);
            }
            return Poll::Ready(Ok(()));
        }
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WireTap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let tap = &mut *self;
        let mut guard = tap.log.0.borrow_mut();
        let state = &mut *guard;
        let result = match &mut state.head_writer {
            Some(_) if state.faults.write.is_some() => Poll::Ready(Ok(buf.len())),
            Some(head_writer) => head_writer.poll_write(&mut tap.stream, cx, &[io::IoSlice::new(buf)]),
            None => Pin::new(&mut tap.stream).poll_write(cx, buf),
        };
        state.note_wrote();
        drop(guard);
        Poll::Ready(self.go_on(ready!(result), buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tap = &mut *self;
        let offered = bufs.iter().map(|buf| buf.len()).sum();
        let mut guard = tap.log.0.borrow_mut();
        let state = &mut *guard;
        let result = match &mut state.head_writer {
            Some(_) if state.faults.write.is_some() => Poll::Ready(Ok(offered)),
            Some(head_writer) => head_writer.poll_write(&mut tap.stream, cx, bufs),
            None => Pin::new(&mut tap.stream).poll_write_vectored(cx, bufs),
        };
        state.note_wrote();
        drop(guard);
        Poll::Ready(self.go_on(ready!(result), offered))
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        match result {
            Ok(()) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(self.go_on(Err(error), 0).map(|_| ())),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
