use std::cell::{Ref, RefCell};
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::connection::MAX_HEAD;
use crate::head::HeadScanner;
use crate::outgoing::Outgoing;

/// A connection that keeps the head of the HTTP/1.1 reply it carries, and remembers how it broke.
///
/// It sits between hyper and the socket, above TLS. Until the first request is written it holds back what the server
/// sends: a server that answers before it is asked gets the benefit of the doubt, where hyper would call its bytes
/// unexpected.
pub(crate) struct Tap<S> {
    stream: S,
    record: Rc<Record>,
}

/// What a [`Tap`] saw of the exchange that is under way.
#[derive(Debug, Default)]
pub(crate) struct Record(RefCell<State>);

#[derive(Debug, Default)]
struct State {
    reply: Reply,
    scanner: HeadScanner,
    received: bool,
    reads: u64,
    faults: Faults,
    /// Whether a byte was ever written.
    asked: bool,
    /// The reader that waits for that.
    held_back: Option<Waker>,
    /// None where heads go out as hyper writes them: over HTTP/2.
    outgoing: Option<Outgoing>,
}

/// How far the reply has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Reply {
    /// What comes next is no head: the last one is complete or too long to be kept, or there was no request yet.
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
}

impl Record {
    /// Makes ready for the request that is sent next, with this head in place of hyper's, and for the reply to it.
    pub(crate) fn arm(&self, head: Vec<u8>, body_bytes: usize) {
        let mut state = self.0.borrow_mut();
        state.outgoing.get_or_insert_default().expect(head, body_bytes);
        state.reply = Reply::Head;
        state.scanner.clear();
        state.received = false;
    }

    /// Whether a byte came since the request, be it of an interim reply.
    pub(crate) fn received(&self) -> bool {
        self.0.borrow().received
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

    fn observe(&self, bytes: &[u8]) {
        let mut state = self.0.borrow_mut();
        if bytes.is_empty() {
            return;
        }
        state.reads += 1;
        if state.reply != Reply::Head {
            return;
        }
        state.received = true;
        // hyper refuses a longer head itself.
        if state.scanner.feed(bytes) || state.scanner.head().len() > MAX_HEAD {
            state.reply = Reply::Beyond;
        }
    }
}

impl<S> Tap<S> {
    pub(crate) fn new(stream: S) -> (Self, Rc<Record>) {
        let record = Rc::new(Record::default());
        (Self { stream, record: record.clone() }, record)
    }

    fn note_write(&self, result: &io::Result<usize>) {
        let mut state = self.record.0.borrow_mut();
        match result {
            Ok(_) => {
                state.asked = true;
                if let Some(reader) = state.held_back.take() {
                    reader.wake();
                }
            }
            Err(error) => {
                state.faults.write.get_or_insert(error.kind());
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Tap<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        {
            let mut state = self.record.0.borrow_mut();
            if !state.asked {
                state.held_back = Some(cx.waker().clone());
                return Poll::Pending;
            }
        }
        let before = buf.filled().len();
        match ready!(Pin::new(&mut self.stream).poll_read(cx, buf)) {
            Ok(()) => self.record.observe(&buf.filled()[before..]),
            Err(error) => {
                self.record.0.borrow_mut().faults.read.get_or_insert(error.kind());
                return Poll::Ready(Err(error));
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Tap<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let tap = &mut *self;
        let mut state = tap.record.0.borrow_mut();
        let result = ready!(match &mut state.outgoing {
            Some(outgoing) => outgoing.poll_write(&mut tap.stream, cx, &[io::IoSlice::new(buf)]),
            None => Pin::new(&mut tap.stream).poll_write(cx, buf),
        });
        drop(state);
        self.note_write(&result);
        Poll::Ready(result)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let tap = &mut *self;
        let mut state = tap.record.0.borrow_mut();
        let result = ready!(match &mut state.outgoing {
            Some(outgoing) => outgoing.poll_write(&mut tap.stream, cx, bufs),
            None => Pin::new(&mut tap.stream).poll_write_vectored(cx, bufs),
        });
        drop(state);
        self.note_write(&result);
        Poll::Ready(result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let result = ready!(Pin::new(&mut self.stream).poll_flush(cx));
        if let Err(error) = &result {
            self.record.0.borrow_mut().faults.write.get_or_insert(error.kind());
        }
        Poll::Ready(result)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
