//! Drains of 100,000 requests against wrk on the same nginx.

use std::path::Path;

use testkit::Nginx;

use super::sizes::{json_body, locations};
use crate::drain;
use crate::lab::Lab;
use crate::paired::{self, Effort};
use crate::report::{Report, Row};
use crate::stats::median;
use crate::wrk::Wrk;

const REQUESTS: i64 = 100_000;

/// GETs.
pub(crate) fn get(report: &mut Report, _: &Path) {
    report.part("get: 100,000 GETs");
    let (mut lab, nginx) = (Lab::new(), Nginx::start_quiet(""));
    let url = nginx.url("/");
    measure(report, &mut lab, "drain of 100,000 queued GETs", (&drain::get(&url), &Wrk::get(&url), 5), 0.30);
    report.note("command: `wrk -t 2 -c 64 -d 3s http://127.0.0.1:port/`; nginx answers `ok` with a process a core");
}

/// POSTs with a body and a longer answer.
pub(crate) fn post(report: &mut Report, _: &Path) {
    report.part("post: 100,000 POSTs of 1 KiB, answered with 4 KiB");
    let (mut lab, nginx) = (Lab::new(), Nginx::start_quiet(&locations(&[4096])));
    let (url, body) = (nginx.url("/answer/4096"), json_body(1024));
    let what = "drain of 100,000 queued POSTs, 1 KiB of JSON each, answered with 4 KiB";
    measure(report, &mut lab, what, (&drain::post(&url, &body), &Wrk::post(&url, &body), 3), 0.20);
    report.note(
        "command: `wrk -t 2 -c 64 -d 3s -s post.lua http://127.0.0.1:port/answer/4096`; the script sends the same body",
    );
}

fn measure(report: &mut Report, lab: &mut Lab, what: &str, (call, wrk, rounds): (&str, &Wrk, usize), target: f64) {
    let paired = paired::run(lab, call, wrk, Effort { rounds, requests: REQUESTS, wrk_seconds: 3 });
    let ratio = median(&paired.ratios());
    report.row(Row {
        what: what.into(),
        figure: paired.figure(),
        yardstick: paired.yardstick(),
        ratio: Some(ratio),
        target: format!("≥ {target:.2}"),
        met: ratio >= target,
    });
    report.note(paired.spread());
}
