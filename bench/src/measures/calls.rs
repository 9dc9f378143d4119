//! What a call costs its caller.

use std::path::Path;
use std::time::Instant;

use postgres::Client;

use crate::lab::Lab;
use crate::plain_table;
use crate::report::{Report, Row};
use crate::stats::{Spread, median};

const ROUNDS: usize = 5;
const ROWS: i32 = 100_000;
const URL: &str = "http://127.0.0.1:9/hook";

/// Calls against plain inserts of the same rows.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("calls: 100,000 calls of net.http_get");
    let mut lab = Lab::new();
    plain_table::make(&mut lab.client);
    let call = format!("select net.http_get('{URL}') from generate_series(1, {ROWS})");
    let insert = insert_of_the_same(&mut lab.client);
    let (mut calls, mut inserts) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        inserts.push(time(&mut lab, &insert));
        calls.push(time(&mut lab, &call));
    }
    let ratios: Vec<f64> = inserts.iter().zip(&calls).map(|(insert, call)| insert / call).collect();
    let (ratio, each) = (median(&ratios), |seconds: &[f64]| median(seconds) * 1e6 / f64::from(ROWS));
    report.row(Row {
        what: "`net.http_get` from `generate_series(1, 100000)`".into(),
        figure: format!("{:.2} µs a call", each(&calls)),
        yardstick: format!("`INSERT … SELECT` of the same rows: {:.2} µs a row", each(&inserts)),
        ratio: Some(ratio),
        target: "≥ 0.4".into(),
        met: ratio >= 0.4,
    });
    report.note(format!(
        "{ROUNDS} pairs: calls {} s; inserts {} s; ratios {}",
        Spread(&calls),
        Spread(&inserts),
        Spread(&ratios)
    ));
    report.note(format!("statements, each rolled back so that nothing is sent: `{call}`; `{insert}`"));
}

/// The statement that inserts what the calls insert.
fn insert_of_the_same(client: &mut Client) -> String {
    let mut transaction = client.transaction().expect("begin");
    let row = "select format('%L, %L, %L::jsonb, %L::bytea, %s', method, url, headers, body, timeout_milliseconds) \
               from net.http_request_queue";
    transaction.batch_execute(&format!("select net.http_get('{URL}')")).expect("queue a request");
    let values: String = transaction.query_one(row, &[]).expect("the row of a call").get(0);
    transaction.rollback().expect("roll back");
    format!(
        "insert into public.plain (method, url, headers, body, timeout_milliseconds) \
         select {values} from generate_series(1, {ROWS})"
    )
}

/// The seconds of a statement, which is then undone.
fn time(lab: &mut Lab, statement: &str) -> f64 {
    lab.client.batch_execute("truncate public.plain").expect("start afresh");
    lab.reset();
    let mut transaction = lab.client.transaction().expect("begin");
    let start = Instant::now();
    transaction.execute(statement, &[]).expect("run a statement");
    let took = start.elapsed().as_secs_f64();
    transaction.rollback().expect("roll back");
    took
}
