//! From the commit to the arrival at the server, under a steady load.

use std::path::Path;
use std::sync::Arc;
use std::thread::sleep;
use std::time::Duration;

use testkit::{PATIENCE, wait_until};

use crate::clock::milliseconds;
use crate::lab::Lab;
use crate::pace::{Commit, Pace, achieved};
use crate::plot::{Plot, SeriesLabelPosition};
use crate::receiver::{Receiver, Record};
use crate::report::{Report, Row};
use crate::stats::{percentile, sorted};

const SECONDS: usize = 15;

/// 100/s and 1,000/s.
pub(crate) fn run(report: &mut Report, results: &Path) {
    report.part("latency: from commit to arrival");
    let lab = Lab::new();
    let mut lines = Vec::new();
    for rate in [100, 1000] {
        let pace = Pace { rate, count: rate * SECONDS, timeout_milliseconds: 2000 };
        let receiver = Receiver::start(pace.count);
        let commits = pace.run(&lab.cluster, &Arc::default(), |number| receiver.url(&format!("/fast/{number}")));
        wait_until("all requests to arrive", PATIENCE, || receiver.record().arrived() == pace.count);
        let sent = arrivals(&commits, receiver.record(), |commit| commit.sent);
        let known = arrivals(&commits, receiver.record(), |commit| commit.known);
        let (p50, p99) = (percentile(&known, 50.0), percentile(&known, 99.0));
        report.row(Row {
            what: format!("commit to arrival at a steady {rate}/s"),
            figure: format!("p50 {p50:.2} ms, p99 {p99:.2} ms"),
            yardstick: String::new(),
            ratio: None,
            target: "p50 ≤ 2 ms, p99 ≤ 15 ms".into(),
            met: p50 <= 2.0 && p99 <= 15.0,
        });
        report.note(format!(
            "{rate}/s: {:.0}/s came of it, {} requests, each in its transaction; counted from when the client knew that it was \
             committed; from when it sent COMMIT, the flush to disk included: p50 {:.2} ms, p99 {:.2} ms",
            achieved(&commits),
            pace.count,
            percentile(&sent, 50.0),
            percentile(&sent, 99.0)
        ));
        lines.push((format!("{rate}/s"), distribution(&known)));
        // What is left to record is not part of the next load.
        sleep(Duration::from_millis(500));
    }
    let plot = Plot {
        title: "From commit to arrival",
        x: "milliseconds (logarithmic)",
        y: "% arrived",
        factor: Some(10.0),
        legend: SeriesLabelPosition::LowerRight,
        lines,
    };
    plot.write(&results.join("latency.svg"));
    report.plot(plot.title, "latency.svg");
}

/// How long each request took to arrive, in milliseconds.
pub(crate) fn arrivals(commits: &[Commit], record: &Record, from: impl Fn(&Commit) -> i64) -> Vec<f64> {
    let arrival = |commit: &Commit| record.arrival(commit.number).expect("it arrived");
    commits.iter().map(|commit| milliseconds(from(commit), arrival(commit))).collect()
}

/// The cumulative distribution in two hundred steps, and the far end in full.
fn distribution(values: &[f64]) -> Vec<(f64, f64)> {
    let (sorted, step) = (sorted(values), (values.len() / 200).max(1));
    let last = sorted.len() - sorted.len() / 100;
    let shown = sorted.iter().enumerate().filter(|(place, _)| place % step == 0 || *place >= last);
    shown.map(|(place, &value)| (value.max(0.01), (place + 1) as f64 * 100.0 / sorted.len() as f64)).collect()
}
