//! An old snapshot elsewhere pins every row that is done: vacuum may not remove it.

use std::path::Path;

use testkit::Nginx;

use super::backlog::{LONG, PART};
use crate::drain;
use crate::lab::Lab;
use crate::report::{Report, Row};
use crate::stats::{median, thousands};

const ROUNDS: usize = 3;
const DEAD_ROUNDS: usize = 5;

/// Drains while another session is idle in a transaction with a snapshot.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("snapshot: another session holds an old snapshot");
    let (mut lab, nginx) = (Lab::new(), Nginx::start_quiet(""));
    let call = drain::get(&nginx.url("/"));
    let mut free = Vec::new();
    for _ in 0..ROUNDS {
        lab.reset();
        free.push(drain::queue(&mut lab, &call, PART).full_rate(&mut lab));
    }

    lab.reset();
    let mut holder = lab.cluster.connect();
    holder.batch_execute("begin isolation level repeatable read; select 1").expect("take a snapshot");
    let mut held = Vec::new();
    for _ in 0..DEAD_ROUNDS {
        held.push(drain::queue(&mut lab, &call, PART).full_rate(&mut lab));
    }
    let long = drain::queue(&mut lab, &call, LONG).rate(&mut lab, PART);
    holder.batch_execute("commit").expect("let the snapshot go");

    let (dead, yardstick) = (PART * DEAD_ROUNDS as i64, median(&free));
    let row = |what: String, rate: f64| Row {
        what,
        figure: format!("{}/s", thousands(rate)),
        yardstick: format!("20,000 waiting, no snapshot: {}/s", thousands(yardstick)),
        ratio: Some(rate / yardstick),
        target: "≥ 0.5".into(),
        met: rate / yardstick >= 0.5,
    };
    let held_since = format!("old snapshot held, {} dead rows", thousands(dead as f64));
    report.row(row(format!("the same, {held_since}: the first 20,000 of 1,000,000"), long));
    report.row(row(
        "the same: the slowest of the drains of 20,000 that left them".into(),
        held.iter().copied().fold(f64::MAX, f64::min),
    ));
    let rounds: Vec<String> = held.iter().map(|&rate| thousands(rate)).collect();
    report.note(format!("drains of 20,000, one after the other, none vacuumed: {}/s", rounds.join(", ")));
}
