//! A program that is no part of pg_net, and opens the connections that pg_net opens beside sick origins: what the
//! machine's two ends of them take from others, whoever opens them.

use std::collections::VecDeque;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// From one attempt at an origin that refuses connections to the next, as pg_net has it.
const REFUSED_EVERY: Duration = Duration::from_millis(5);
/// From one request to the origin that hangs to the next: two hundred places, each taken for two seconds.
const HUNG_EVERY: Duration = Duration::from_millis(10);
const PLACES: usize = 200;

/// The program, until it is dropped.
pub(super) struct SameConnections {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl SameConnections {
    /// Starts to connect to ports that refuse, in turns, and to one whose server does not answer.
    pub(super) fn open(refusing: Vec<u16>, hanging: u16) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = Some(thread::spawn(move || run(&refusing, hanging, &stopped)));
        Self { stop, thread }
    }
}

impl Drop for SameConnections {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().map(JoinHandle::join);
    }
}

fn run(refusing: &[u16], hanging: u16, stop: &AtomicBool) {
    let mut refusing = refusing.iter().cycle();
    let mut open = VecDeque::new();
    let (mut refused_at, mut hung_at) = (Instant::now(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        let now = Instant::now();
        if refused_at <= now {
            refused_at += REFUSED_EVERY;
            let port = refusing.next().expect("a port");
            TcpStream::connect(address(*port)).expect_err("a refusal");
        }
        if hung_at <= now {
            hung_at += HUNG_EVERY;
            let mut stream = TcpStream::connect(address(hanging)).expect("connect");
            stream.write_all(b"GET /hang HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("send a request");
            open.push_back(stream);
            if open.len() > PLACES {
                open.pop_front();
            }
        }
        thread::sleep(refused_at.min(hung_at).saturating_duration_since(Instant::now()));
    }
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}
