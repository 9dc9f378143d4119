//! A steady load: requests at a fixed rate, each in a transaction of its own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Barrier};
use std::thread;
use std::time::{Duration, Instant};

use postgres::Client;
use testkit::Cluster;

use crate::clock;

/// Sessions that take turns, so that the rate holds although each commit waits for the disk.
const SESSIONS: usize = 8;

/// A request that was committed.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Commit {
    /// Its number in the load.
    pub(crate) number: usize,
    /// Its id in the queue.
    pub(crate) id: i64,
    /// When the client sent COMMIT: what follows includes the flush to disk.
    pub(crate) sent: i64,
    /// When the client knew that it was committed: from then on the worker is on its own.
    pub(crate) known: i64,
}

/// The load to make.
pub(crate) struct Pace {
    /// Requests a second.
    pub(crate) rate: usize,
    /// How many in all.
    pub(crate) count: usize,
    /// How long each may take.
    pub(crate) timeout_milliseconds: i32,
}

impl Pace {
    /// Makes the load, counting the commits in `committed`; `url` gives the address for a number. In order of the numbers.
    pub(crate) fn run(
        &self,
        cluster: &Cluster,
        committed: &Arc<AtomicUsize>,
        url: impl Fn(usize) -> String + Sync,
    ) -> Vec<Commit> {
        let start = Instant::now() + Duration::from_millis(100);
        // A session that ends takes a processor for two milliseconds, which is no part of the load.
        let all_done = Barrier::new(SESSIONS);
        let mut commits: Vec<Commit> = thread::scope(|scope| {
            let session = |turn| {
                let (url, committed, all_done) = (&url, Arc::clone(committed), &all_done);
                move || {
                    let mut client = cluster.connect();
                    let commits = self.session(&mut client, turn, start, &committed, url);
                    all_done.wait();
                    commits
                }
            };
            let sessions: Vec<_> = (0..SESSIONS).map(|turn| scope.spawn(session(turn))).collect();
            sessions.into_iter().flat_map(|session| session.join().expect("a session of the load")).collect()
        });
        commits.sort_by_key(|commit| commit.number);
        commits
    }

    fn session(
        &self,
        client: &mut Client,
        turn: usize,
        start: Instant,
        committed: &AtomicUsize,
        url: impl Fn(usize) -> String,
    ) -> Vec<Commit> {
        let call = format!("select net.http_get($1, timeout_milliseconds := {})", self.timeout_milliseconds);
        let call = client.prepare(&call).expect("prepare");
        let numbers = (turn..self.count).step_by(SESSIONS);
        numbers
            .map(|number| {
                let due = start + Duration::from_secs_f64(number as f64 / self.rate as f64);
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let mut transaction = client.transaction().expect("begin");
                let id = transaction.query_one(&call, &[&url(number)]).expect("queue a request").get(0);
                let sent = clock::now();
                transaction.commit().expect("commit");
                let known = clock::now();
                committed.fetch_add(1, Ordering::AcqRel);
                Commit { number, id, sent, known }
            })
            .collect()
    }
}

/// The rate that came of it, in requests a second.
pub(crate) fn achieved(commits: &[Commit]) -> f64 {
    let first = commits.iter().map(|commit| commit.known).min().expect("a commit");
    let last = commits.iter().map(|commit| commit.known).max().expect("a commit");
    (commits.len() - 1) as f64 * 1000.0 / clock::milliseconds(first, last)
}
