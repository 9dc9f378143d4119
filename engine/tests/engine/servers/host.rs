use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::{Content, Engine, Failure, Key, Outcome, Policy, Request, Response, Target};

/// Long enough for any machine, short enough for a person.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// What the Postgres half is in life: hands requests over and waits to be notified.
pub(crate) struct Host {
    pub(crate) engine: Engine,
    notified: Receiver<()>,
}

impl Host {
    pub(crate) fn new(policy: Policy) -> Self {
        Self::asking(policy, || true)
    }

    /// One that is asked before each request starts.
    pub(crate) fn asking(policy: Policy, may_start: impl Fn() -> bool + Send + 'static) -> Self {
        let (notify, notified) = mpsc::channel();
        let engine = Engine::start_if(policy, may_start, move || _ = notify.send(())).unwrap();
        Self { engine, notified }
    }

    /// One whose engine's thread can be kept busy: where the flag is set, something is told to `go` before the next request starts,
    /// and waited for until it `is_done`.
    pub(crate) fn busy(policy: Policy, go: Sender<()>, is_done: Receiver<()>) -> (Self, Arc<AtomicBool>) {
        let busy = Arc::<AtomicBool>::default();
        let is_busy = busy.clone();
        let may_start = move || {
            if is_busy.swap(false, Ordering::SeqCst) {
                go.send(()).unwrap();
                is_done.recv_timeout(PATIENCE).unwrap();
            }
            true
        };
        (Self::asking(policy, may_start), busy)
    }

    pub(crate) fn submit(&self, requests: Vec<Request>) {
        self.engine.submit(requests).unwrap();
    }

    /// Waits for a notification and drains; the outcomes, perhaps none.
    pub(crate) fn next_batch(&self) -> Vec<Outcome> {
        self.notified.recv_timeout(PATIENCE).expect("no notification in time");
        let mut outcomes = Vec::new();
        self.engine.drain(&mut outcomes);
        outcomes
    }

    pub(crate) fn wait_for(&self, count: usize) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        while outcomes.len() < count {
            outcomes.extend(self.next_batch());
        }
        assert_eq!(outcomes.len(), count);
        outcomes
    }

    pub(crate) fn carry_out(&self, request: Request) -> Outcome {
        self.submit(vec![request]);
        self.wait_for(1).remove(0)
    }

    pub(crate) fn get(&self, url: &str) -> Response {
        self.carry_out(get(url)).result.unwrap()
    }
}

pub(crate) fn request(key: Key, method: &str, url: &str, headers: &[(&str, &str)], body: &str) -> Request {
    let target = Target::parse(url).unwrap();
    let mut request = Request::new(key, method, target, Bytes::copy_from_slice(body.as_bytes()), PATIENCE).unwrap();
    for (name, value) in headers {
        request.push_header(name, value).unwrap();
    }
    request
}

pub(crate) fn get(url: &str) -> Request {
    request(1, "GET", url, &[], "")
}

pub(crate) fn post(url: &str, body: &str) -> Request {
    request(1, "POST", url, &[("Content-Type", "application/json")], body)
}

pub(crate) fn with_timeout(url: &str, timeout: Duration) -> Request {
    Request::new(1, "GET", Target::parse(url).unwrap(), Bytes::new(), timeout).unwrap()
}

/// One request with an engine of its own.
pub(crate) fn carry_out(request: Request) -> Result<Response, Failure> {
    Host::new(Policy::default()).carry_out(request).result
}

pub(crate) fn text(response: &Response) -> &str {
    match &response.content {
        Content::Text(text) => text,
        other => panic!("no text but {other:?}"),
    }
}

/// Waits until `condition` holds.
pub(crate) fn eventually(what: &str, condition: impl Fn() -> bool) {
    let start = Instant::now();
    while !condition() {
        assert!(start.elapsed() < PATIENCE, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(1));
    }
}
