//! Throughput against the size of the bodies.

use std::fmt::Write as _;
use std::path::Path;

use testkit::Nginx;

use crate::drain;
use crate::lab::Lab;
use crate::paired::{self, Effort};
use crate::plot::{Plot, SeriesLabelPosition};
use crate::report::Report;
use crate::stats::{median, thousands};
use crate::wrk::Wrk;

/// Bytes, and how many requests with them are drained.
const SIZES: [(usize, i64); 5] = [(64, 20_000), (1024, 20_000), (4096, 20_000), (16 << 10, 8000), (64 << 10, 3000)];

/// POSTs of JSON, answered with as much.
pub(crate) fn run(report: &mut Report, results: &Path) {
    report.part("sizes: POSTs of JSON, answered with as much");
    let sizes = SIZES.map(|(bytes, _)| bytes);
    let (mut lab, nginx) = (Lab::new(), Nginx::start_quiet(&locations(&sizes)));
    let (mut ours, mut theirs) = (Vec::new(), Vec::new());
    for (bytes, requests) in SIZES {
        let (url, body) = (nginx.url(&format!("/answer/{bytes}")), json_body(bytes));
        let effort = Effort { rounds: 1, requests, wrk_seconds: 2 };
        let paired = paired::run(&mut lab, &drain::post(&url, &body), &Wrk::post(&url, &body), effort);
        let (rate, wrk) = (median(&paired.drains), median(&paired.wrk));
        report.note(format!(
            "{} bytes: {}/s, wrk {}/s, ratio {:.2}",
            thousands(bytes as f64),
            thousands(rate),
            thousands(wrk),
            rate / wrk
        ));
        ours.push((bytes as f64, rate));
        theirs.push((bytes as f64, wrk));
    }
    let plot = Plot {
        title: "Throughput against body size",
        x: "bytes of the body, and of the answer (logarithmic)",
        y: "requests a second",
        factor: Some(2.0),
        legend: SeriesLabelPosition::UpperRight,
        lines: vec![("pg_net, drain".into(), ours), ("wrk, 64 connections".into(), theirs)],
    };
    plot.write(&results.join("sizes.svg"));
    report.plot(plot.title, "sizes.svg");
}

/// A JSON object whose text, as Postgres prints it, has so many bytes.
pub(crate) fn json_body(bytes: usize) -> String {
    let (head, tail) = (r#"{"data": ""#, r#""}"#);
    format!("{head}{}{tail}", "x".repeat(bytes - head.len() - tail.len()))
}

/// nginx's locations `/answer/<bytes>`, for multiples of 64.
pub(crate) fn locations(sizes: &[usize]) -> String {
    let piece = format!("{}\n", "well answered, ".repeat(5)).split_off(12);
    assert_eq!(piece.len(), 64);
    // A parameter of nginx's configuration has at most 4 KiB: longer ones are put together by doubling.
    let mut text = format!("set $answer64 '{piece}';\n");
    let largest = sizes.iter().copied().max().unwrap_or_default();
    let mut size = 64;
    while size < largest {
        let _ = writeln!(text, "        set $answer{} $answer{size}$answer{size};", size * 2);
        size *= 2;
    }
    for size in sizes {
        let _ = writeln!(text, "        location = /answer/{size} {{ return 200 $answer{size}; }}");
    }
    text
}
