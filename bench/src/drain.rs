//! Drains: requests queued in one transaction, timed from its commit.

use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::lab::Lab;

/// How often the progress is looked at: by one descent of an index, so that looking costs a thousandth of the time.
const INTERVAL: Duration = Duration::from_millis(20);
/// How long nothing may come before the run is given up.
const PATIENCE: Duration = Duration::from_secs(60);

/// Requests that were queued together.
pub(crate) struct Queued {
    first: i64,
    count: i64,
    committed: Instant,
}

/// The call that GETs a URL.
pub(crate) fn get(url: &str) -> String {
    format!("net.http_get('{url}')")
}

/// The call that POSTs a JSON body.
pub(crate) fn post(url: &str, body: &str) -> String {
    format!("net.http_post('{url}', body := '{body}')")
}

/// Queues a call so many times in one transaction. The clock starts when its commit has returned.
pub(crate) fn queue(lab: &mut Lab, call: &str, count: i64) -> Queued {
    let mut transaction = lab.client.transaction().expect("begin");
    let ids = format!("select min(id) from (select {call} as id from generate_series(1, {count})) as calls");
    let first = transaction.query_one(&ids, &[]).expect("queue requests").get(0);
    transaction.commit().expect("commit");
    Queued { first, count, committed: Instant::now() }
}

impl Queued {
    /// Follows the drain until `count` responses are there; calls back with how many there are about, and when. Their exact
    /// number in the end, and how long that took.
    ///
    /// About: the greatest id, since requests end nearly in order. Only once that is far enough are rows counted.
    pub(crate) fn follow(&self, lab: &mut Lab, count: i64, mut each: impl FnMut(Duration, i64)) -> (i64, Duration) {
        let greatest = lab.client.prepare("select max(id) from net._http_response").expect("prepare");
        let exact = lab.client.prepare("select count(*) from net._http_response where id >= $1").expect("prepare");
        let (mut seen, mut moved) = (0, Instant::now());
        loop {
            let greatest: Option<i64> = lab.client.query_one(&greatest, &[]).expect("look").get(0);
            let about = greatest.map_or(0, |greatest| (greatest - self.first + 1).max(0));
            let took = self.committed.elapsed();
            each(took, about);
            if about >= count {
                let exactly: i64 = lab.client.query_one(&exact, &[&self.first]).expect("count").get(0);
                if exactly >= count {
                    return (exactly, self.committed.elapsed());
                }
            }
            if about != seen {
                (seen, moved) = (about, Instant::now());
            }
            assert!(moved.elapsed() < PATIENCE, "{seen} of {count} responses, and then nothing for {PATIENCE:?}");
            sleep(INTERVAL);
        }
    }

    /// Responses a second until `count` are there.
    pub(crate) fn rate(&self, lab: &mut Lab, count: i64) -> f64 {
        let (exactly, took) = self.follow(lab, count, |_, _| {});
        exactly as f64 / took.as_secs_f64()
    }

    /// Responses a second until all are there; makes sure that each was an answer, and that the queue is empty.
    pub(crate) fn full_rate(&self, lab: &mut Lab) -> f64 {
        let rate = self.rate(lab, self.count);
        self.check(lab);
        rate
    }

    /// Makes sure that every request was answered, once.
    pub(crate) fn check(&self, lab: &mut Lab) {
        let answered = "select count(distinct id) from net._http_response where status_code = 200 and id >= $1";
        let answered: i64 = lab.client.query_one(answered, &[&self.first]).expect("count").get(0);
        assert_eq!(answered, self.count, "every request has an answer with status 200");
        assert_eq!(lab.number("select count(*) from net.http_request_queue"), 0, "the queue is empty");
    }
}
