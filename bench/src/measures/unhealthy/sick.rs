//! Origins that are dead must not slow one that is not.

use std::collections::HashMap;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use testkit::{FullPort, PATIENCE, RefusedPort, wait_until};

use super::same_connections::SameConnections;
use crate::clock::{self, milliseconds};
use crate::lab::Lab;
use crate::pace::Pace;
use crate::receiver::Receiver;
use crate::report::{Report, Row};
use crate::stats::{Spread, median, percentile};
use crate::worker;

const ROUNDS: usize = 7;
pub(in crate::measures) const RATE: usize = 200;
const SECONDS: usize = 5;
const LOOPBACK: &str = "127.0.0.1";
/// Origins that refuse connections, and origins that neither accept nor refuse them.
const REFUSING: usize = 40;
const FULL: usize = 10;
/// How much waits for each of them, and for one that accepts connections and never answers.
const WAITING: usize = 1000;

/// What a healthy origin is sent beside all of these, in turns with the same alone.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("sick: a healthy origin beside 50 dead ones and one that hangs");
    let mut lab = Lab::new();
    let (mut alone, mut beside, mut first, mut done) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    let mut same = Vec::new();
    for _ in 0..ROUNDS {
        rest(&mut lab);
        alone.push(times(&mut lab, SECONDS, |_| LOOPBACK.to_owned()));

        rest(&mut lab);
        let dead = Dead::take();
        let program = dead.connected_to_by_a_program();
        same.push(times(&mut lab, SECONDS, |_| LOOPBACK.to_owned()));
        drop(program);

        rest(&mut lab);
        dead.queue(&mut lab);
        first.push(one(&mut lab));
        beside.push(times(&mut lab, SECONDS, |_| LOOPBACK.to_owned()));
        assert!(dead.hanging.record().open() > 0, "some hang meanwhile");
        done.push(
            lab.number("select count(*) from net._http_response where error_kind in ('connect', 'timeout')") as f64
        );
        assert!(lab.number("select count(*) from net.http_request_queue") > 10_000, "most of it still waits");
        lab.reset();
        wait_until("the end of those that hang", PATIENCE, || dead.hanging.record().open() == 0);
    }
    // Of the middle round: a moment in which the machine does something else spoils one round, and all of them together.
    let (p99_alone, p99_beside) = (median(&each_p99(&alone)), median(&each_p99(&beside)));
    let ratio = p99_beside / p99_alone;
    report.row(Row {
        what: format!(
            "{RATE} requests a second beside 50 dead origins and one that hangs, 1,000 waiting for each: commit to response row"
        ),
        figure: format!("p99 {:.2} ms", p99_beside),
        yardstick: format!("alone: p99 {:.2} ms", p99_alone),
        ratio: Some(ratio),
        target: "≤ 1.20".into(),
        met: ratio <= 1.2,
    });
    report.note(format!(
        "{ROUNDS} rounds of {SECONDS} s alone and {SECONDS} s beside them: p99 of a round alone {} ms, beside {} ms; p50 of all {:.2} and {:.2} ms; the first one \
         that was queued behind them had its response after {} ms; {} of the others ended meanwhile",
        Spread(&each_p99(&alone)),
        Spread(&each_p99(&beside)),
        percentile(&alone.concat(), 50.0),
        percentile(&beside.concat(), 50.0),
        Spread(&first),
        Spread(&done)
    ));
    report.note(format!(
        "beside a program that opens as many connections to the same ports, and pg_net sends nothing there: p99 of a \
         round {} ms, {:.2} ms in the middle",
        Spread(&each_p99(&same)),
        median(&each_p99(&same))
    ));
}

/// Ports and a server that nothing comes back from.
struct Dead {
    refusing: Vec<RefusedPort>,
    full: Vec<FullPort>,
    hanging: Receiver,
}

impl Dead {
    fn take() -> Self {
        Self {
            refusing: (0..REFUSING).map(|_| testkit::Receiver::refused_port()).collect(),
            full: (0..FULL).map(|_| FullPort::take()).collect(),
            hanging: Receiver::start(0),
        }
    }

    fn connected_to_by_a_program(&self) -> SameConnections {
        SameConnections::open(self.refusing.iter().map(RefusedPort::port).collect(), self.hanging.port())
    }

    /// Queues what is to wait, that for each origin in one transaction.
    fn queue(&self, lab: &mut Lab) {
        let full = self.full.iter().map(|port| port.url("/"));
        let refusing = self.refusing.iter().map(|port| port.url("/"));
        for url in full.chain([self.hanging.url("/hang")]).chain(refusing) {
            let calls = format!("select net.http_get('{url}') from generate_series(1, {WAITING})");
            lab.client.batch_execute(&calls).expect("queue requests that are never answered");
        }
    }
}

/// Empties the tables, and waits until the worker has nothing to do.
pub(in crate::measures) fn rest(lab: &mut Lab) {
    lab.reset();
    let pid = lab.worker();
    wait_until("a worker at rest", PATIENCE, || {
        let before = worker::cpu(pid);
        thread::sleep(Duration::from_millis(500));
        worker::cpu(pid) == before
    });
}

/// Milliseconds from the commit of a single request to its response.
fn one(lab: &mut Lab) -> f64 {
    let receiver = Receiver::start(1);
    let call = format!("select net.http_get('{}')", receiver.url("/fast/0"));
    let id = lab.number(&call);
    let committed = clock::now();
    lab.client.query("select net.await_response($1)", &[&id]).expect("wait for the response");
    milliseconds(committed, clock::now())
}

fn each_p99(rounds: &[Vec<f64>]) -> Vec<f64> {
    rounds.iter().map(|times| percentile(times, 99.0)).collect()
}

/// Sends to a healthy server at a steady rate, by the host that `host` says for each number: milliseconds from the commits to the
/// response rows.
pub(in crate::measures) fn times(lab: &mut Lab, seconds: usize, host: impl Fn(usize) -> String + Sync) -> Vec<f64> {
    let pace = Pace { rate: RATE, count: RATE * seconds, timeout_milliseconds: 10_000 };
    let receiver = Receiver::start(pace.count);
    let url = |number| receiver.url(&format!("/fast/{number}")).replacen(LOOPBACK, &host(number), 1);
    let commits = pace.run(&lab.cluster, &Arc::default(), url);
    let (least, most) = (commits.iter().map(|commit| commit.id).min(), commits.iter().map(|commit| commit.id).max());
    let (least, most) = (least.expect("a commit"), most.expect("a commit"));
    let these = format!("from net._http_response where status_code = 200 and id between {least} and {most}");
    wait_until("the responses", PATIENCE, || lab.number(&format!("select count(*) {these}")) == pace.count as i64);
    let created = format!("select id, (extract(epoch from created) * 1000000)::bigint {these}");
    let rows = lab.client.query(&created, &[]).expect("read responses");
    let created: HashMap<i64, i64> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    commits.iter().map(|commit| milliseconds(commit.known, created[&commit.id])).collect()
}
