//! What it costs that the queue survives a crash.

use std::path::Path;

use testkit::Nginx;

use crate::drain;
use crate::lab::Lab;
use crate::report::{Report, Row};
use crate::stats::{Spread, median, thousands};

const ROUNDS: usize = 10;
const REQUESTS: i64 = 100_000;

/// The same drain with the queue logged and unlogged, in turns.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("unlogged: the queue logged and unlogged");
    let (mut lab, nginx) = (Lab::new(), Nginx::start_quiet(""));
    let call = drain::get(&nginx.url("/"));
    let (mut logged, mut unlogged) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let mut turns = [("logged", &mut logged), ("unlogged", &mut unlogged)];
        // Each goes first as often as the other.
        if round % 2 == 1 {
            turns.reverse();
        }
        for (kind, rates) in turns {
            lab.reset();
            let alter = format!("alter table net.http_request_queue set {kind}");
            lab.client.batch_execute(&alter).expect("alter the queue");
            rates.push(drain::queue(&mut lab, &call, REQUESTS).full_rate(&mut lab));
        }
    }
    let ratios: Vec<f64> = logged.iter().zip(&unlogged).map(|(logged, unlogged)| logged / unlogged).collect();
    let ratio = median(&ratios);
    report.row(Row {
        what: "drain of 100,000 queued GETs, the queue logged".into(),
        figure: format!("{}/s", thousands(median(&logged))),
        yardstick: format!("unlogged: {}/s", thousands(median(&unlogged))),
        ratio: Some(ratio),
        target: "≥ 0.9".into(),
        met: ratio >= 0.9,
    });
    let spreads = (Spread(&logged), Spread(&unlogged), Spread(&ratios));
    report.note(format!("{ROUNDS} pairs: logged {}/s; unlogged {}/s; ratios {}", spreads.0, spreads.1, spreads.2));
    report.note("unlogged: `alter table net.http_request_queue set unlogged`; the clock starts at the commit in both");
}
