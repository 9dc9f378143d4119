//! A minute of a steady load with slow replies among it; beside it, a server at rest.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use testkit::{PATIENCE, wait_until};

use super::saturation::{SLOW_TIMEOUT, is_slow, path};
use crate::clock::milliseconds;
use crate::drain;
use crate::lab::Lab;
use crate::pace::{Pace, achieved};
use crate::receiver::Receiver;
use crate::report::{Report, Row};
use crate::stats::{percentile, thousands};
use crate::worker::{self, Use};

const RATE: usize = 500;
const SECONDS: usize = 60;

/// 500/s, of which 5% take five seconds: 125 of the 200 slots of an origin.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("steady: 60 s with 5% slow replies; an idle server beside it");
    let (mut lab, mut idle) = (Lab::new(), Lab::new());
    let pace = Pace { rate: RATE, count: RATE * SECONDS, timeout_milliseconds: SLOW_TIMEOUT };
    let receiver = Receiver::start(pace.count);
    let resting = Resting::start(&mut idle);
    let commits = pace.run(&lab.cluster, &Arc::default(), |number| receiver.url(&path(number)));
    let (idled, used) = resting.end(&mut idle);
    wait_until("all responses", PATIENCE, || {
        lab.number("select count(*) from net._http_response where status_code = 200") == pace.count as i64
    });

    let created = "select id, (extract(epoch from created) * 1000000)::bigint from net._http_response order by id";
    let rows = lab.client.query(created, &[]).expect("read responses");
    let created: std::collections::HashMap<i64, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    let fast = commits.iter().filter(|commit| !is_slow(commit.number));
    let fast: Vec<f64> = fast.map(|commit| milliseconds(commit.known, created[&commit.id])).collect();
    let p99 = percentile(&fast, 99.0);
    report.row(Row {
        what: "60 s at a steady 500/s, 5% of the replies take 5 s: the fast ones, commit to response row".into(),
        figure: format!("p99 {p99:.1} ms"),
        yardstick: String::new(),
        ratio: None,
        target: "p99 ≤ 50 ms".into(),
        met: p99 <= 50.0,
    });
    report.note(format!(
        "{:.0}/s came of it; {} fast ones: p50 {:.2} ms, greatest {:.1} ms; to `created`, when the transaction that records began",
        achieved(&commits),
        thousands(fast.len() as f64),
        percentile(&fast, 50.0),
        percentile(&fast, 100.0)
    ));
    idle_row(report, idled, used);
}

/// A worker that has worked and now rests.
struct Resting {
    worker: i32,
    since: Instant,
    before: Use,
}

impl Resting {
    fn start(idle: &mut Lab) -> Self {
        let receiver = Receiver::start(1);
        drain::queue(idle, &drain::get(&receiver.url("/fast/0")), 1000).full_rate(idle);
        drop(receiver);
        std::thread::sleep(Duration::from_secs(2));
        let worker = idle.worker();
        Self { worker, since: Instant::now(), before: worker::cpu(worker) }
    }

    /// How long it rested, and what it used meanwhile.
    fn end(self, idle: &mut Lab) -> (Duration, Use) {
        std::thread::sleep(Duration::from_secs(SECONDS as u64).saturating_sub(self.since.elapsed()));
        let (rested, after) = (self.since.elapsed(), worker::cpu(self.worker));
        assert_eq!(self.worker, idle.worker(), "the worker is still the same process");
        let (ticks, nanoseconds) = (after.ticks - self.before.ticks, after.nanoseconds - self.before.nanoseconds);
        (rested, Use { ticks, nanoseconds })
    }
}

fn idle_row(report: &mut Report, rested: Duration, used: Use) {
    report.row(Row {
        what: "CPU time of an idle worker in 60 s".into(),
        figure: format!("{} ms", used.ticks * 10),
        yardstick: String::new(),
        ratio: None,
        target: "0".into(),
        met: used.ticks == 0,
    });
    report.note(format!(
        "idle: all threads of the worker of a second server, which had sent 1,000 requests before, over {:.1} s, in ticks of 10 ms; \
         by the scheduler's measure {:.3} ms",
        rested.as_secs_f64(),
        used.nanoseconds as f64 / 1e6
    ));
}
