//! What many replies without an end cost at once. A process of its own: it measures the memory of the whole.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::time::Duration;
use std::{fs, thread};

use bytes::Bytes;
use engine::{Engine, Key, Outcome, Policy, Request, Target};
use flate2::{Compress, Compression, FlushCompress};

const MIB: usize = 1 << 20;

/// Four gigabytes, never mind what the client makes of them, or an answer to who asks for one.
fn receiver(endless: Arc<Vec<u8>>, head: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, endless) = (stream.unwrap(), endless.clone());
            thread::Builder::new().stack_size(64 << 10).spawn(move || serve(stream, head, &endless)).unwrap();
        }
    });
    url
}

fn serve(mut stream: TcpStream, head: &str, endless: &[u8]) {
    let mut request = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut request) {
        if request[..read].starts_with(b"GET /small ") {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
            continue;
        }
        let _ = stream.write_all(head.as_bytes());
        while stream.write_all(endless).is_ok() {}
    }
}

/// A megabyte of zeros, compressed so that it can be sent again and again.
fn zeros() -> Vec<u8> {
    let mut coded = Vec::with_capacity(64 << 10);
    let mut encoder = Compress::new(Compression::best(), false);
    encoder.compress_vec(&vec![0; MIB], &mut coded, FlushCompress::Full).unwrap();
    assert_eq!(encoder.total_in() as usize, MIB);
    coded
}

/// Memory of this process that no file backs, in MiB (Linux).
fn own_memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() / 1024
}

/// Looks at the memory all the time while something is done; the most that there was.
fn peak_during(work: impl FnOnce()) -> usize {
    let (done, peak) = (AtomicBool::new(false), AtomicUsize::new(0));
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::SeqCst) {
                peak.fetch_max(own_memory(), Ordering::SeqCst);
                thread::sleep(Duration::from_millis(2));
            }
        });
        work();
        done.store(true, Ordering::SeqCst);
    });
    peak.into_inner()
}

struct Host {
    engine: Engine,
    notified: mpsc::Receiver<()>,
}

impl Host {
    fn new() -> Self {
        let (notify, notified) = mpsc::channel();
        Self { engine: Engine::start(Policy::default(), move || _ = notify.send(())).unwrap(), notified }
    }

    fn ask(&self, keys: impl Iterator<Item = Key>, url: &str, timeout: Duration) {
        let request = |key| Request::new(key, "GET", Target::parse(url).unwrap(), Bytes::new(), timeout).unwrap();
        self.engine.submit(keys.map(request).collect()).unwrap();
    }

    fn wait_for(&self, count: usize) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while outcomes.len() < count {
            self.notified.recv_timeout(Duration::from_secs(60)).expect("an outcome");
            self.engine.drain(&mut outcomes);
        }
        outcomes
    }
}

#[test]
fn a_hundred_endless_replies_at_once_end_as_failures_in_bounded_memory() {
    let plain = Arc::new([&b"10000\r\n"[..], &[b'x'; 64 << 10], b"\r\n"].concat());
    let bomb = receiver(Arc::new(zeros()), "HTTP/1.1 200 OK\r\nContent-Encoding: deflate\r\n\r\n");
    let drip = receiver(plain, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    for (what, url) in [("drip", &drip), ("bomb", &bomb)] {
        let host = Host::new();
        let mut outcomes = Vec::new();
        let peak = peak_during(|| {
            host.ask(0..100, &format!("{url}/"), Duration::from_secs(6));
            // Who needs little memory waits for none of them.
            host.ask(100..110, &format!("{url}/small"), Duration::from_secs(6));
            outcomes = host.wait_for(110);
        });
        let mut kinds = HashMap::<_, usize>::new();
        for outcome in &outcomes {
            match &outcome.result {
                Ok(response) => assert!(outcome.key >= 100 && response.status == 200, "{what}: {response:?}"),
                Err(failure) => *kinds.entry(failure.kind().name()).or_default() += 1,
            }
        }
        println!("{what}: {kinds:?}, at most {peak} MiB");
        assert_eq!(kinds.values().sum::<usize>(), 100, "{what}: {kinds:?}");
        assert!(kinds.keys().all(|kind| ["too_large", "memory", "timeout"].contains(kind)), "{what}: {kinds:?}");
        assert!(kinds.contains_key("too_large"), "{what}: one may always go on: {kinds:?}");
        assert!(peak < 256, "{what}: {peak} MiB");
    }
}
