//! Bursts: many requests of one transaction, with a bound on the time until their responses are visible.

use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use testkit::{Nginx, Receiver};

use crate::drain;
use crate::lab::Lab;
use crate::report::{Report, Row};
use crate::stats::{Spread, median};

const ROUNDS: usize = 5;
const FAST: i64 = 50;
const MANY: i64 = 10_000;

/// 50 requests beside one that is answered after 2 s, and 10,000 to nginx.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("burst: 50 requests beside a slow one; 10,000 at once");
    let mut lab = Lab::new();
    beside_a_slow_one(&mut lab, report);
    many(&mut lab, report);
}

fn beside_a_slow_one(lab: &mut Lab, report: &mut Report) {
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        lab.reset();
        let (fast, slow) = (Receiver::start(), Receiver::start());
        let (fast_url, slow_url) = (fast.url("/fast"), slow.url("/delay/2000"));
        let mut transaction = lab.client.transaction().expect("begin");
        let calls = format!(
            "select net.http_get('{slow_url}', timeout_milliseconds := 10000);
             select net.http_get('{fast_url}') from generate_series(1, {FAST})"
        );
        transaction.batch_execute(&calls).expect("queue requests");
        transaction.commit().expect("commit");
        let committed = Instant::now();
        while lab.number("select count(*) from net._http_response where status_code = 200") < FAST {
            assert!(committed.elapsed() < Duration::from_secs(60), "the fast responses come");
            sleep(Duration::from_millis(1));
        }
        times.push(committed.elapsed().as_secs_f64() * 1000.0);
        assert_eq!(lab.number("select count(*) from net._http_response"), FAST, "the slow one is still open");
    }
    let time = median(&times);
    report.row(Row {
        what: "50 fast requests beside one that takes 2 s: commit to all 50 visible".into(),
        figure: format!("{time:.1} ms"),
        yardstick: String::new(),
        ratio: None,
        target: "≤ 200 ms".into(),
        met: time <= 200.0,
    });
    report.note(format!("{ROUNDS} rounds: {} ms", Spread(&times)));
}

fn many(lab: &mut Lab, report: &mut Report) {
    let nginx = Nginx::start_quiet("");
    let call = drain::get(&nginx.url("/"));
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        lab.reset();
        let queued = drain::queue(lab, &call, MANY);
        times.push(MANY as f64 / queued.full_rate(lab));
    }
    let time = median(&times);
    report.row(Row {
        what: "10,000 requests of one transaction to nginx: commit to all visible".into(),
        figure: format!("{time:.2} s"),
        yardstick: String::new(),
        ratio: None,
        target: "≤ 4 s".into(),
        met: time <= 4.0,
    });
    report.note(format!("{ROUNDS} rounds: {} s", Spread(&times)));
}
