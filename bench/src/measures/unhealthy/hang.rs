//! An origin that hangs must not hold up others.

use std::path::Path;

use testkit::{PATIENCE, wait_until};

use crate::clock::{self, milliseconds};
use crate::lab::Lab;
use crate::receiver::Receiver;
use crate::report::{Report, Row};
use crate::stats::{Spread, median, percentile};

const ROUNDS: usize = 3;
const HANGING: usize = 1000;
const FAST: usize = 500;

/// 500 requests queued behind 1,000 to an origin that never answers, all in one transaction.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("hang: 500 requests behind 1,000 to an origin that hangs");
    let mut lab = Lab::new();
    let (mut first, mut arrival, mut recorded) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let (hanging, fast) = (Receiver::start(0), Receiver::start(FAST));
        let (hang_url, fast_url) = (hanging.url("/hang"), fast.url("/fast/"));
        let mut transaction = lab.client.transaction().expect("begin");
        let hang = format!("select net.http_get('{hang_url}') from generate_series(1, {HANGING})");
        transaction.batch_execute(&hang).expect("queue requests that hang");
        let calls =
            format!("select net.http_get('{fast_url}' || number) from generate_series(0, {}) as number", FAST - 1);
        transaction.batch_execute(&calls).expect("queue fast requests");
        transaction.commit().expect("commit");
        let committed = clock::now();
        wait_until("the fast responses", PATIENCE, || {
            lab.number("select count(*) from net._http_response where status_code = 200") == FAST as i64
        });
        assert!(hanging.record().open() > 0, "some hang meanwhile");

        let arrivals: Vec<f64> = (0..FAST)
            .map(|number| milliseconds(committed, fast.record().arrival(number).expect("it arrived")))
            .collect();
        first.push(percentile(&arrivals, 0.0));
        arrival.push(percentile(&arrivals, 99.0));
        let created =
            "select (extract(epoch from created) * 1000000)::bigint from net._http_response where status_code = 200";
        let rows = lab.client.query(created, &[]).expect("read responses");
        let rows: Vec<f64> = rows.iter().map(|row| milliseconds(committed, row.get(0))).collect();
        recorded.push(percentile(&rows, 99.0));

        lab.reset();
        wait_until("the end of those that hang", PATIENCE, || hanging.record().open() == 0);
        lab.reset();
    }
    let p99 = median(&recorded);
    report.row(Row {
        what: "500 fast requests behind 1,000 to an origin that hangs: commit to response row".into(),
        figure: format!("p99 {p99:.1} ms"),
        yardstick: String::new(),
        ratio: None,
        target: "p99 ≤ 50 ms".into(),
        met: p99 <= 50.0,
    });
    report.note(format!(
        "p99 of {ROUNDS} rounds: to the response row {} ms; to the arrival {} ms; the first arrived after {} ms; all in one \
         transaction, from when the client knew that it was committed",
        Spread(&recorded),
        Spread(&arrival),
        Spread(&first)
    ));
}
