//! An HTTP server in this process, which records when each request arrived, on one thread.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::runtime::Builder;
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::clock;

/// How long a slow reply takes.
pub(crate) const SLOW: Duration = Duration::from_secs(5);
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nok";

/// Answers `/fast/<number>` at once, `/slow/<number>` after five seconds, and `/hang` never.
pub(crate) struct Receiver {
    record: Arc<Record>,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What came.
pub(crate) struct Record {
    /// When the request with this number came; 0 if it did not.
    arrivals: Vec<AtomicI64>,
    arrived: AtomicUsize,
    open: AtomicUsize,
}

impl Receiver {
    /// One for requests with numbers below `count`.
    pub(crate) fn start(count: usize) -> Self {
        let arrivals = (0..count).map(|_| AtomicI64::new(0)).collect();
        let record = Arc::new(Record { arrivals, arrived: AtomicUsize::new(0), open: AtomicUsize::new(0) });
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        let listener = runtime.block_on(async { listen() });
        let port = listener.local_addr().expect("its address").port();
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&record);
        let thread = thread::spawn(move || {
            runtime.block_on(async {
                tokio::spawn(accept(listener, shared));
                let _ = stopped.await;
            });
        });
        Self { record, port, stop: Some(stop), thread: Some(thread) }
    }

    /// A URL on it.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// Its port.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// What came.
    pub(crate) fn record(&self) -> &Arc<Record> {
        &self.record
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.stop.take().map(|stop| stop.send(()));
        self.thread.take().map(JoinHandle::join);
    }
}

impl Record {
    /// When the request with this number came.
    pub(crate) fn arrival(&self, number: usize) -> Option<i64> {
        Some(self.arrivals[number].load(Ordering::Acquire)).filter(|&at| at != 0)
    }

    /// How many requests with a number came.
    pub(crate) fn arrived(&self) -> usize {
        self.arrived.load(Ordering::Acquire)
    }

    /// How many requests have come and have no answer yet.
    pub(crate) fn open(&self) -> usize {
        self.open.load(Ordering::Acquire)
    }

    fn note(&self, number: usize) {
        let at = clock::now();
        // One that is sent again does not count again.
        if self.arrivals[number].compare_exchange(0, at, Ordering::AcqRel, Ordering::Relaxed).is_ok() {
            self.arrived.fetch_add(1, Ordering::AcqRel);
        }
    }
}

/// A request that has no answer yet.
struct Open<'a>(&'a Record);

impl<'a> Open<'a> {
    fn new(record: &'a Record) -> Self {
        record.open.fetch_add(1, Ordering::AcqRel);
        Self(record)
    }
}

impl Drop for Open<'_> {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Listens with room for as many connections at once as a client may open: where there is none, the kernel lets a
/// connection wait for a second.
fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind((Ipv4Addr::LOCALHOST, 0).into()).expect("a loopback port");
    socket.listen(4096).expect("listen")
}

async fn accept(listener: TcpListener, record: Arc<Record>) {
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        let record = Arc::clone(&record);
        tokio::spawn(async move { serve(stream, &record).await });
    }
}

/// Serves GETs on one connection until the other end closes it.
async fn serve(mut stream: TcpStream, record: &Record) -> Option<()> {
    let mut buffer = Vec::with_capacity(2048);
    loop {
        while !buffer.ends_with(b"\r\n\r\n") {
            if stream.read_buf(&mut buffer).await.ok()? == 0 {
                return None;
            }
        }
        let open = Open::new(record);
        let path = std::str::from_utf8(&buffer).ok()?.split(' ').nth(1)?;
        if path == "/hang" {
            // Until the other end gives up.
            let _ = stream.read_u8().await;
            return None;
        }
        let (kind, number) = path.strip_prefix('/')?.split_once('/')?;
        record.note(number.parse().ok()?);
        if kind == "slow" {
            sleep(SLOW).await;
        }
        drop(open);
        stream.write_all(ANSWER).await.ok()?;
        buffer.clear();
    }
}
