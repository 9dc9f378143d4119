//! Ten minutes at a fixed rate: nothing may grow.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use testkit::{Cluster, Nginx};

use crate::lab::Lab;
use crate::plot::{Plot, SeriesLabelPosition};
use crate::report::{Report, Row};
use crate::stats::{mean, slope, thousands};

const RATE: u32 = 2000;
const LENGTH: Duration = Duration::from_secs(600);
/// Requests in one transaction.
const TOGETHER: u32 = 20;
const INTERVAL: Duration = Duration::from_secs(2);
/// A line through the last half may rise by so much of the mean over that half.
const TOLERATED: f64 = 0.05;

const SERIES: [&str; 4] = ["queue", "queue's indexes", "responses", "responses' indexes"];
const SIZES: &str = "select pg_table_size(queue), pg_indexes_size(queue), pg_table_size(responses), pg_indexes_size(responses) \
     from (values ('net.http_request_queue'::regclass, 'net._http_response'::regclass)) as tables (queue, responses)";

/// 2,000/s, autovacuum each 5 s, responses kept for 10 s.
pub(crate) fn run(report: &mut Report, results: &Path) {
    report.part("soak: ten minutes at a fixed 2,000/s");
    let mut lab = Lab::with(&[("autovacuum_naptime", "5s"), ("pg_net.ttl", "10s")]);
    let nginx = Nginx::start_quiet("");
    let (url, done) = (nginx.url("/"), AtomicBool::new(false));
    let (samples, queued) = thread::scope(|scope| {
        let load = scope.spawn(|| load(&lab.cluster, &url, &done));
        let samples = sample(&mut lab.cluster.connect());
        done.store(true, Ordering::Release);
        (samples, load.join().expect("the load"))
    });
    thread::sleep(Duration::from_secs(2));
    assert_eq!(lab.number("select count(*) from net.http_request_queue"), 0, "all that was queued is done");

    let lines: Vec<(String, Vec<(f64, f64)>)> = SERIES
        .iter()
        .enumerate()
        .map(|(place, name)| ((*name).to_owned(), samples.iter().map(|(at, sizes)| (*at, sizes[place])).collect()))
        .collect();
    for (name, points) in &lines {
        trend(report, name, points);
    }
    report.note(format!(
        "{:.0}/s came of it, in transactions of {TOGETHER}; `autovacuum_naptime = 5s`, `pg_net.ttl = 10s`, all else as it comes",
        f64::from(queued) / LENGTH.as_secs_f64()
    ));
    report.note(format!(
        "the rise of the line with the least squares over the last half, against the mean over that half; \
         no trend: at most {:.0}%",
        TOLERATED * 100.0
    ));
    let plot = Plot {
        title: "Sizes at a fixed 2,000 requests a second",
        x: "seconds",
        y: "KiB",
        factor: None,
        legend: SeriesLabelPosition::MiddleRight,
        lines,
    };
    plot.write(&results.join("soak.svg"));
    report.plot(plot.title, "soak.svg");
}

/// Queues requests at the rate until told to end; gives their number.
fn load(cluster: &Cluster, url: &str, done: &AtomicBool) -> u32 {
    let mut client = cluster.connect();
    let calls = format!("select count(net.http_get($1)) from generate_series(1, {TOGETHER})");
    let calls = client.prepare(&calls).expect("prepare");
    let (start, mut queued) = (Instant::now(), 0);
    while !done.load(Ordering::Acquire) {
        let due = Duration::from_secs_f64(f64::from(queued) / f64::from(RATE));
        thread::sleep(due.saturating_sub(start.elapsed()));
        client.query_one(&calls, &[&url]).expect("queue requests");
        queued += TOGETHER;
    }
    queued
}

/// Seconds, and what is that large then, in KiB.
fn sample(client: &mut postgres::Client) -> Vec<(f64, [f64; 4])> {
    let (start, mut samples) = (Instant::now(), Vec::new());
    while start.elapsed() < LENGTH {
        let row = client.query_one(SIZES, &[]).expect("ask for sizes");
        let sizes = [0, 1, 2, 3].map(|column| row.get::<_, i64>(column) as f64 / 1024.0);
        samples.push((start.elapsed().as_secs_f64(), sizes));
        thread::sleep(INTERVAL);
    }
    samples
}

fn trend(report: &mut Report, name: &str, points: &[(f64, f64)]) {
    let half = &points[points.len() / 2..];
    let sizes: Vec<f64> = half.iter().map(|&(_, size)| size).collect();
    let rise = slope(half) * LENGTH.as_secs_f64() / 2.0 / mean(&sizes);
    let largest = sizes.iter().copied().fold(0.0, f64::max);
    report.row(Row {
        what: format!("size of the {name} over ten minutes at 2,000/s"),
        figure: format!("mean {} KiB, at most {} KiB", thousands(mean(&sizes)), thousands(largest)),
        yardstick: String::new(),
        ratio: None,
        target: format!("no growth over the last half ({:+.1}%)", rise * 100.0),
        met: rise <= TOLERATED,
    });
}
