//! Replaces the heads that hyper writes, which have all names in lower case, by our own.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use memchr::memmem;
use tokio::io::AsyncWrite;

/// How much of a body goes out in one write with its head.
const TOGETHER: usize = 16 << 10;

/// Writes an HTTP/1.1 connection message by message: the head that hyper writes is replaced by ours, and the body
/// passes.
///
/// hyper is told the same length of each body as we are, so that no head is looked for in a body.
#[derive(Debug, Default)]
pub(crate) struct HeadWriter {
    /// Messages that hyper has not begun to write: head, and bytes of the body.
    next: VecDeque<(Vec<u8>, usize)>,
    /// Bytes of a body that are still to pass.
    passing: usize,
    /// What is being written, how much of it went out, and how many bytes of hyper's it stands for.
    ours: Vec<u8>,
    written: usize,
    stands_for: usize,
    /// Whether a byte went out since the last call of [`take_wrote`](Self::take_wrote).
    wrote: bool,
}

impl HeadWriter {
    /// Notes the next message.
    pub(crate) fn expect(&mut self, head: Vec<u8>, body_bytes: usize) {
        self.next.push_back((head, body_bytes));
    }

    /// Whether a byte went out since the last call, be it of a write that is not done with.
    pub(crate) fn take_wrote(&mut self) -> bool {
        std::mem::take(&mut self.wrote)
    }

    /// Writes what `bufs` stand for; how many of their bytes are done with.
    pub(crate) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.stands_for == 0 && self.passing == 0 && !self.next.is_empty() {
            self.begin(bufs)?;
        }
        if self.stands_for == 0 {
            return self.pass(stream, cx, bufs);
        }
        while self.written < self.ours.len() {
            let written = ready!(Pin::new(&mut *stream).poll_write(cx, &self.ours[self.written..]))?;
            if written == 0 {
                return Poll::Ready(Ok(0));
            }
            self.wrote = true;
            self.written += written;
        }
        self.ours = Vec::new();
        self.written = 0;
        Poll::Ready(Ok(std::mem::take(&mut self.stands_for)))
    }

    /// Takes hyper's head, and what is there of a short body, for ours.
    fn begin(&mut self, bufs: &[io::IoSlice<'_>]) -> io::Result<()> {
        let mut bufs = bufs.iter().map(|buf| &buf[..]).skip_while(|buf| buf.is_empty());
        let first = bufs.next().unwrap_or_default();
        let end = memmem::find(first, b"\r\n\r\n").ok_or_else(|| io::Error::other("a head in pieces"))? + 4;
        let (mut ours, body_bytes) = self.next.pop_front().unwrap_or_default();
        self.stands_for = end;
        self.passing = body_bytes;
        for part in std::iter::once(&first[end..]).chain(bufs) {
            let together = part.len().min(self.passing).min(TOGETHER.saturating_sub(ours.len()));
            ours.extend_from_slice(&part[..together]);
            self.passing -= together;
            self.stands_for += together;
            if together < part.len() {
                break;
            }
        }
        self.ours = ours;
        Ok(())
    }

    /// Lets the body pass, and nothing behind it.
    fn pass<S: AsyncWrite + Unpin>(
        &mut self,
        stream: &mut S,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let offered = bufs.iter().map(|buf| buf.len()).sum::<usize>();
        let written = if offered <= self.passing {
            ready!(Pin::new(stream).poll_write_vectored(cx, bufs))?
        } else {
            let first = bufs.iter().map(|buf| &buf[..]).find(|buf| !buf.is_empty()).unwrap_or_default();
            ready!(Pin::new(stream).poll_write(cx, &first[..first.len().min(self.passing)]))?
        };
        self.wrote |= written > 0;
        self.passing -= written;
        Poll::Ready(Ok(written))
    }
}

#[cfg(test)]
mod tests {
    use std::task::Waker;

    use super::*;

    /// Takes as many bytes as it likes, and none now and then.
    struct Fickle {
        taken: Vec<u8>,
        random: fastrand::Rng,
    }

    impl AsyncWrite for Fickle {
        fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
            if self.random.u8(..4) == 0 {
                return Poll::Pending;
            }
            let taken = self.random.usize(..buf.len().min(40_000)) + 1;
            self.taken.extend_from_slice(&buf[..taken]);
            Poll::Ready(Ok(taken))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    /// Messages, offered as hyper may offer them: the head in one piece, bodies in pieces, the next message behind them or not.
    fn exchange(seed: u64) {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut stream = Fickle { taken: Vec::new(), random: random.fork() };
        let mut outgoing = HeadWriter::default();
        let (mut offered, mut expected) = (Vec::new(), Vec::new());
        for number in 0..random.usize(1..6) {
            let size = [0, 1, 30, TOGETHER, 3 * TOGETHER][random.usize(..5)];
            // Bodies are full of what ends a head.
            let body = b"\r\n\r\nGET / HTTP/1.1\r\n\r\n".iter().copied().cycle().take(size).collect::<Vec<_>>();
            let head =
                format!("POST /{number} HTTP/1.1\r\nX-{}: y\r\n\r\n", "A".repeat(random.usize(..20_000))).into_bytes();
            expected.extend_from_slice(&head);
            expected.extend_from_slice(&body);
            outgoing.expect(head, body.len());
            offered.push(b"POST / HTTP/1.1\r\ncontent-length: 1\r\n\r\n".to_vec());
            offered.extend(body.chunks(random.usize(1..=size.max(1))).map(<[u8]>::to_vec));
        }
        let mut cx = Context::from_waker(Waker::noop());
        while !offered.is_empty() {
            let shown = random.usize(1..=offered.len());
            let bufs = offered[..shown].iter().map(|buf| io::IoSlice::new(buf)).collect::<Vec<_>>();
            let Poll::Ready(done) = outgoing.poll_write(&mut stream, &mut cx, &bufs) else { continue };
            let mut done = done.unwrap();
            assert!(done > 0, "seed {seed}");
            while done > 0 {
                let first = offered[0].len().min(done);
                offered[0].drain(..first);
                done -= first;
                if offered[0].is_empty() {
                    offered.remove(0);
                }
            }
        }
        assert!(stream.taken == expected, "seed {seed}");
    }

    #[test]
    fn heads_are_ours_and_bodies_pass_however_they_are_written() {
        (0..3000).for_each(exchange);
    }
}
