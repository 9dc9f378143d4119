//! Names whose server does not answer must not slow the look-ups of others.

use std::fs;
use std::path::Path;
use std::time::Duration;

use testkit::{Answer, NameServer, PATIENCE, wait_until};

use super::inside;
use crate::lab::Lab;
use crate::measures::unhealthy::sick::{RATE, rest, times};
use crate::receiver::Receiver;
use crate::report::{Report, Row};
use crate::stats::percentile;

/// The argument of the process that measures, in a network whose resolv.conf names our name server.
pub(crate) const INSIDE: &str = "names-inside";

const ROUNDS: usize = 5;
const SECONDS: usize = 2;
/// Names that hang, and how many requests wait for each.
const DEAD: [usize; 3] = [0, 10, 100];
const EACH: usize = 5;
const DEAD_TIMEOUT: Duration = Duration::from_secs(5);
/// The system gives up after the healthy ones have been sent, and does not ask all over again meanwhile: names that hang in earnest do
/// not do that in step.
const RESOLV_CONF: &str = "nameserver 127.0.0.1\noptions timeout:3 attempts:1\n";
/// Requests that come to a new name at once.
const BURST: usize = 1000;

/// Healthy requests, each by a name of its own, beside names that hang.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("names: healthy names beside dead ones");
    let figures = inside::measure(INSIDE, RESOLV_CONF);
    let [alone, beside @ ..] = DEAD.map(|dead| &figures[&dead.to_string()]);
    for (dead, times) in DEAD[1..].iter().zip(beside) {
        // Of all rounds together: a round has too few for that.
        let (p99, p99_alone) = (percentile(times, 99.0), percentile(alone, 99.0));
        let ratio = p99 / p99_alone;
        report.row(Row {
            what: format!(
                "{RATE} requests a second, each by a name that is looked up for it, beside {dead} names that hang: commit to \
                 response row"
            ),
            figure: format!("p99 {:.2} ms", p99),
            yardstick: format!("alone: p99 {:.2} ms", p99_alone),
            ratio: Some(ratio),
            target: "≤ 1.10".into(),
            met: ratio <= 1.1,
        });
        report.note(format!(
            "{dead} names that hang: p50 {:.2} ms, alone {:.2} ms; p90 {:.2} and {:.2} ms",
            percentile(times, 50.0),
            percentile(alone, 50.0),
            percentile(times, 90.0),
            percentile(alone, 90.0)
        ));
    }
    let most = figures["burst"].iter().copied().fold(0.0, f64::max);
    report.row(Row {
        what: format!("look-ups for {BURST} requests to a new name in one transaction"),
        figure: format!("{most}"),
        yardstick: String::new(),
        ratio: None,
        target: "1".into(),
        met: most == 1.0,
    });
}

/// Measures in the network, and prints the figures.
pub(crate) fn inside() {
    let server = NameServer::start("127.0.0.1");
    server.point("*.good.test", &["127.0.0.1"]);
    server.set("*.dead.test", Answer::Silence);
    let mut lab = Lab::new();
    for round in 0..ROUNDS {
        for dead in DEAD {
            rest(&mut lab);
            queue_dead(&mut lab, dead, round);
            for time in times(&mut lab, SECONDS, |number| format!("{round}-{dead}-{number}.good.test")) {
                println!("{dead} {time}");
            }
            let worker = lab.worker();
            let ended = "select count(*) from net._http_response where error_kind in ('timeout', 'resolve')";
            wait_until("the end of those that hang", PATIENCE, || {
                look_ups(worker) == 0 && lab.number(ended) == (dead * EACH) as i64
            });
            lab.reset();
        }
        println!("burst {}", look_ups_of_a_burst(&mut lab, &server, &format!("burst-{round}.good.test")));
        lab.reset();
    }
}

/// Has requests hang in their look-ups, by names that were not asked for before.
fn queue_dead(lab: &mut Lab, names: usize, round: usize) {
    let calls = format!(
        "select net.http_get('http://{round}-{names}-' || n || '.dead.test/', timeout_milliseconds := {}) \
           from generate_series(1, {names}) n, generate_series(1, {EACH})",
        DEAD_TIMEOUT.as_millis()
    );
    lab.client.batch_execute(&calls).expect("queue requests that are never answered");
    let pid = lab.worker();
    wait_until("a look-up of each", PATIENCE, || look_ups(pid) == names);
}

/// How many look-ups a worker has under way.
fn look_ups(pid: i32) -> usize {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("the threads of the worker");
    let name = |task: std::io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
    tasks.filter_map(name).filter(|name| name.starts_with("pg_net resolver")).count()
}

fn look_ups_of_a_burst(lab: &mut Lab, server: &NameServer, name: &str) -> usize {
    let receiver = Receiver::start(1);
    let url = receiver.url("/fast/0").replacen("127.0.0.1", name, 1);
    let calls = format!("select net.http_get('{url}', timeout_milliseconds := 60000) from generate_series(1, {BURST})");
    lab.client.batch_execute(&calls).expect("queue requests");
    let answered = "select count(*) from net._http_response where status_code = 200";
    wait_until("the responses", PATIENCE, || lab.number(answered) == BURST as i64);
    server.look_ups(name)
}
