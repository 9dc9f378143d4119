//! A long queue, and the server killed while it is worked off.

use std::collections::HashMap;
use std::thread;
use std::time::{Duration, Instant};

use testkit::{Cluster, PATIENCE};

use crate::clock;
use crate::receipts::Event;
use crate::receiver::Receiver;
use crate::scenario::Place;

/// What became of a long queue.
#[derive(Debug)]
pub struct Backlog {
    /// How many requests were queued, in one transaction.
    pub queued: usize,
    /// How many of them had been received when the server was killed.
    pub before: usize,
    /// How many of these were in flight then, as far as the receiver could tell.
    pub in_flight: usize,
    /// How many were received in the end, each once.
    pub received: usize,
    /// How many were received more than once.
    pub repeated: usize,
    /// How many of those had been answered long before: there must be none.
    pub unexplained: usize,
    /// How many were left in the queue when nothing moved any more: there must be none.
    pub unfinished: usize,
}

impl Backlog {
    /// Whether all arrived, and no more than what was in flight arrived again.
    pub fn is_sound(&self) -> bool {
        self.received == self.queued && self.repeated <= CLAIMED && self.unexplained == 0 && self.unfinished == 0
    }
}

/// What a worker claims at once of requests to one origin: two for each that may be in flight, which is 200 by default.
const CLAIMED: usize = 400;

/// What is in flight when the server is killed was sent within so long before.
const RECENT: Duration = Duration::from_secs(5);

/// Queues so many requests, kills the postmaster when a part has been received, starts the server, and waits for the rest.
pub fn run(place: &Place, queued: usize) -> Backlog {
    let mut cluster = Cluster::builder().durable().start_ready();
    let receiver = Receiver::start(&place.receiver, &place.scratch);
    let queue = format!(
        "select count(net.http_post('{}' || number, timeout_milliseconds := 60000))
           from generate_series(1, {queued}) as number",
        receiver.address().prefix("/delay/20")
    );
    cluster.connect().batch_execute(&queue).expect("queue requests");
    let count = || receiver.lines().iter().filter(|line| line.event == Event::Received).count();
    testkit::wait_until("a tenth of the requests", PATIENCE, || count() >= queued / 10);

    let killed = clock::now();
    cluster.kill_postmaster();
    let (before, in_flight) = (count(), receiver.open_at(killed));
    cluster.start();
    let unfinished = wait_for_end(&cluster);

    let mut receipts: HashMap<u64, Vec<i64>> = HashMap::new();
    for line in receiver.lines().iter().filter(|line| line.event == Event::Received) {
        receipts.entry(line.tag).or_default().push(line.at);
    }
    let recent = killed - RECENT.as_micros() as i64;
    let repeated = receipts.values().filter(|receipts| receipts.len() > 1);
    let unexplained = repeated.clone().filter(|receipts| receipts.len() > 2 || receipts[0] < recent).count();
    Backlog { queued, before, in_flight, received: receipts.len(), repeated: repeated.count(), unexplained, unfinished }
}

/// Waits while the queue gets shorter; what is left when it does not.
fn wait_for_end(cluster: &Cluster) -> usize {
    let mut client = cluster.connect();
    let (mut moved, mut least) = (Instant::now(), i64::MAX);
    loop {
        let waiting: i64 = client.query_one("select count(*) from net.http_request_queue", &[]).expect("count").get(0);
        if waiting < least {
            (least, moved) = (waiting, Instant::now());
        }
        if waiting == 0 || moved.elapsed() > PATIENCE {
            return waiting as usize;
        }
        thread::sleep(Duration::from_millis(50));
    }
}
