//! An HTTP server that records what it got, and answers or misbehaves as the path says.

mod connection;
mod gate;
mod listener;
mod observer;
mod query;
mod record;
mod reply;
mod request;
mod routes;

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use connection::Connections;
pub use gate::Gate;
use gate::Gates;
pub use observer::Observer;
use record::Record;
pub use request::Request;

use crate::ports::RefusedPort;

/// An HTTP server for tests, on a port of its own. Dropping it closes all connections and ends its threads.
///
/// What a path does stands in its [`routes`](Receiver::url).
pub struct Receiver {
    shared: Arc<Shared>,
    port: u16,
    accepting: Option<JoinHandle<()>>,
}

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// What the threads of a receiver share.
#[derive(Default)]
struct Shared {
    record: Record,
    gates: Gates,
    connections: Connections,
    scripts: Mutex<HashMap<String, Vec<Vec<u8>>>>,
    observer: Option<Box<dyn Observer>>,
}

impl Receiver {
    /// Starts one.
    pub fn start() -> Self {
        Self::with(Shared::default(), LOOPBACK, None)
    }

    /// Starts one that listens on every address there is. For a [`Network`](crate::Network) of the test's own.
    pub fn start_everywhere() -> Self {
        Self::with(Shared::default(), Ipv6Addr::UNSPECIFIED.into(), None)
    }

    /// Starts one that listens on ::1 alone.
    pub fn start_on_ipv6() -> Self {
        Self::with(Shared::default(), Ipv6Addr::LOCALHOST.into(), None)
    }

    /// Starts one on a port that a [`RefusedPort`] of this or another process holds, watched by an observer.
    pub fn on_port(port: u16, observer: impl Observer) -> Self {
        Self::with(Shared { observer: Some(Box::new(observer)), ..Shared::default() }, LOOPBACK, Some(port))
    }

    fn with(shared: Shared, address: IpAddr, held: Option<u16>) -> Self {
        let shared = Arc::new(shared);
        let (port, accepting) = listener::listen(&shared, address, held);
        Self { shared, port, accepting: Some(accepting) }
    }

    /// The port that it listens on.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The URL of a path.
    ///
    /// | path | what happens |
    /// |---|---|
    /// | `/status/<code>` | an answer with this status |
    /// | `/fail/<code>/<n>` | the same target's first n requests get this status, later ones 200 |
    /// | `/echo…` | the request as JSON |
    /// | `/delay/<ms>` | an answer after so long |
    /// | `/drip?bytes=<n>&every_ms=<ms>` | a body that comes byte by byte |
    /// | `/big?bytes=<n>`, `/bytes`, `/nul`, `/empty`, `/charset/latin1` | bodies out of the ordinary |
    /// | `/endless` | a body without an end |
    /// | `/repeat-headers`, `/odd-headers`, `/no-colon` | heads out of the ordinary |
    /// | `/redirect/<code>?to=<url>`, `/hops/<n>`, `/redirect-loop` | one redirect, a chain, an endless one |
    /// | `/hang`, `/hang-body` | no answer; a head and no body |
    /// | `/close-after/<ms>` | 200, and the connection is closed after so long, whatever has come on it meanwhile |
    /// | `/close`, `/reset`, `/garbage` | closed or reset before any byte; no HTTP |
    /// | `/truncate`, `/chunked-cut`, `/reset-body` | a body cut short |
    /// | `/half-close` | a body without a length, ended by closing one direction |
    /// | anything else | 200, `ok` |
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// All requests that came so far, in order of arrival.
    pub fn requests(&self) -> Vec<Arc<Request>> {
        self.shared.record.all()
    }

    /// How many requests came so far.
    pub fn count(&self) -> usize {
        self.shared.record.all().len()
    }

    /// Waits until so many requests came, and returns all that did.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<Arc<Request>> {
        self.shared
            .record
            .wait(|requests| (requests.len() >= count).then(|| requests.to_vec()))
            .unwrap_or_else(|| panic!("waited for {count} requests; there came {}", self.count()))
    }

    /// Waits for more requests than these, and returns all there are; maybe no more, after a while.
    pub fn wait_beyond(&self, seen: usize) -> Vec<Arc<Request>> {
        let more = |requests: &[Arc<Request>]| (requests.len() > seen).then(|| requests.to_vec());
        self.shared.record.wait(more).unwrap_or_else(|| self.requests())
    }

    /// Waits for a request that a test recognizes.
    #[track_caller]
    pub fn wait_for_request(&self, what: &str, recognize: impl Fn(&Request) -> bool) -> Arc<Request> {
        let find = |requests: &[Arc<Request>]| requests.iter().find(|request| recognize(request)).cloned();
        self.shared.record.wait(find).unwrap_or_else(|| panic!("waited for {what}, which did not come"))
    }

    /// Answers a path with these bytes, a write for each part, and closes the connection.
    pub fn script(&self, path: &str, parts: Vec<Vec<u8>>) {
        self.shared.scripts.lock().unwrap_or_else(PoisonError::into_inner).insert(path.into(), parts);
    }

    /// Withholds the answers to a path until the gate is released.
    pub fn hold(&self, path: &str) -> Gate {
        self.shared.gates.close(path)
    }

    /// How many connections were accepted so far.
    pub fn connections(&self) -> usize {
        self.shared.connections.accepted()
    }

    /// A port beside it that refuses connections.
    pub fn refused_port() -> RefusedPort {
        RefusedPort::take()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.shared.gates.open_all();
        self.shared.connections.stop();
        listener::nudge(self.port);
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
        self.shared.connections.wait_for_end();
    }
}
