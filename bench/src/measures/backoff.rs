//! Requests that wait for their next attempt must not slow fresh ones.

use std::path::Path;

use testkit::{Nginx, PATIENCE, Receiver, wait_until};

use crate::drain;
use crate::lab::Lab;
use crate::report::{Report, Row};
use crate::stats::{Spread, median};

const ROUNDS: usize = 5;
const WAITING: i64 = 10_000;
const FRESH: i64 = 1_000;

/// 1,000 requests on an empty queue, and beside 10,000 in backoff for an origin that refuses.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("backoff: 1,000 fresh requests beside 10,000 that wait for another attempt");
    // So that each is tried once, and then waits all the while, instead of being tried and put off again.
    let mut lab = Lab::with(&[("pg_net.retry_base", "10min"), ("pg_net.breaker_failures", "0")]);
    let (nginx, dead) = (Nginx::start_quiet(""), Receiver::refused_port());
    let fresh = drain::get(&nginx.url("/"));
    let failing = format!(
        "select count(net.http_request('GET', '{}', timeout_milliseconds => 100, max_attempts => 10)) \
           from generate_series(1, {WAITING})",
        dead.url("/")
    );
    drain::queue(&mut lab, &fresh, FRESH).full_rate(&mut lab);
    let (mut alone, mut beside) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        lab.reset();
        alone.push(1000.0 * FRESH as f64 / drain::queue(&mut lab, &fresh, FRESH).rate(&mut lab, FRESH));
        lab.client.batch_execute(&failing).expect("queue requests that fail");
        wait_until("the first attempt of all", 3 * PATIENCE, || {
            lab.number("select count(*) from net.http_request_queue where attempts > 0 and due is not null") == WAITING
        });
        beside.push(1000.0 * FRESH as f64 / drain::queue(&mut lab, &fresh, FRESH).rate(&mut lab, FRESH));
        assert_eq!(lab.number("select count(*) from net.http_request_queue"), WAITING, "they wait");
    }
    let ratios: Vec<f64> = beside.iter().zip(&alone).map(|(beside, alone)| beside / alone).collect();
    let ratio = median(&ratios);
    report.row(Row {
        what: "1,000 fresh requests beside 10,000 in backoff for a dead origin".into(),
        figure: format!("{:.0} ms", median(&beside)),
        yardstick: format!("on an empty queue: {:.0} ms", median(&alone)),
        ratio: Some(ratio),
        target: "≤ 1.2".into(),
        met: ratio <= 1.2,
    });
    report.note(format!(
        "{ROUNDS} pairs: beside {} ms; alone {} ms; ratios {}",
        Spread(&beside),
        Spread(&alone),
        Spread(&ratios)
    ));
}
