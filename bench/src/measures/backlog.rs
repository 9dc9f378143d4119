//! The same speed however long the queue is, and the same memory.

use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use testkit::Nginx;

use crate::drain;
use crate::lab::Lab;
use crate::plot::{Plot, SeriesLabelPosition};
use crate::report::{Report, Row};
use crate::stats::{Spread, median, thousands};
use crate::worker::own_memory;

/// The part of a drain whose rate is compared.
pub(crate) const PART: i64 = 20_000;
/// The long queue.
pub(crate) const LONG: i64 = 1_000_000;
const FEW: i64 = 10_000;
const ROUNDS: usize = 3;

/// 1,000,000 waiting against 20,000 waiting; memory after 1,000,000 against after 10,000.
pub(crate) fn run(report: &mut Report, results: &Path) {
    report.part("backlog: 1,000,000 requests waiting");
    let (mut lab, nginx) = (Lab::new(), Nginx::start_quiet(""));
    let call = drain::get(&nginx.url("/"));
    let worker = lab.worker();

    drain::queue(&mut lab, &call, FEW).full_rate(&mut lab);
    let memory_few = settled_memory(worker);
    let (mut short, mut long) = (Vec::new(), Vec::new());
    let mut samples = vec![(Duration::ZERO, 0)];
    for round in 1..=ROUNDS {
        lab.reset();
        short.push(drain::queue(&mut lab, &call, PART).full_rate(&mut lab));
        lab.reset();
        let queued = drain::queue(&mut lab, &call, LONG);
        long.push(queued.rate(&mut lab, PART));
        // The last one goes to its end.
        if round == ROUNDS {
            queued.follow(&mut lab, LONG, |took, done| samples.push((took, done.min(LONG))));
            queued.check(&mut lab);
        }
    }
    let memory_many = settled_memory(worker);
    assert_eq!(worker, lab.worker(), "the worker is still the same process");

    let ratios: Vec<f64> = long.iter().zip(&short).map(|(long, short)| long / short).collect();
    let ratio = median(&ratios);
    report.row(Row {
        what: "drain rate over the first 20,000 requests, 1,000,000 waiting".into(),
        figure: format!("{}/s", thousands(median(&long))),
        yardstick: format!("20,000 waiting: {}/s", thousands(median(&short))),
        ratio: Some(ratio),
        target: "≥ 0.8".into(),
        met: ratio >= 0.8,
    });
    let growth = memory_many / memory_few;
    report.row(Row {
        what: "worker's own memory (RssAnon) after 1,000,000 requests".into(),
        figure: format!("{memory_many:.1} MiB"),
        yardstick: format!("after 10,000: {memory_few:.1} MiB"),
        ratio: Some(growth),
        target: "≤ 1.1, ≤ 64 MiB".into(),
        met: growth <= 1.1 && memory_many <= 64.0,
    });
    let all = samples.last().map_or(0.0, |(took, _)| LONG as f64 / took.as_secs_f64());
    let spreads = (Spread(&long), Spread(&short), Spread(&ratios));
    report.note(format!(
        "{ROUNDS} pairs: with 1,000,000 waiting {}/s; with 20,000 {}/s; ratios {}; all of the last 1,000,000: {}/s",
        spreads.0,
        spreads.1,
        spreads.2,
        thousands(all)
    ));
    plot(report, results, &samples);
}

/// What the worker holds once it is at rest.
fn settled_memory(worker: i32) -> f64 {
    sleep(Duration::from_secs(1));
    own_memory(worker)
}

/// Requests a second while so many were waiting, over stretches of 20,000.
fn plot(report: &mut Report, results: &Path, samples: &[(Duration, i64)]) {
    let mut points = Vec::new();
    let (mut since, mut from) = samples[0];
    for &(at, done) in samples {
        if done - from >= PART {
            let waiting = LONG - i64::midpoint(from, done);
            points.push((waiting as f64, (done - from) as f64 / (at - since).as_secs_f64()));
            (since, from) = (at, done);
        }
    }
    let plot = Plot {
        title: "Throughput against backlog",
        x: "requests waiting",
        y: "requests a second",
        factor: None,
        legend: SeriesLabelPosition::LowerRight,
        lines: vec![("one drain of 1,000,000 GETs".into(), points)],
    };
    plot.write(&results.join("backlog.svg"));
    report.plot(plot.title, "backlog.svg");
}
