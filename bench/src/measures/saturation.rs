//! More slow replies than there are slots: whenever rows wait, the slots must be in use.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use crate::lab::Lab;
use crate::pace::Pace;
use crate::receiver::{Receiver, Record};
use crate::report::{Report, Row};
use crate::stats::{mean, percentile};

/// The timeout of requests of which some are slow.
pub(crate) const SLOW_TIMEOUT: i32 = 10_000;
const RATE: usize = 1200;
const SECONDS: usize = 15;
/// The default of `pg_net.max_in_flight_per_origin`.
const SLOTS: f64 = 200.0;
const INTERVAL: Duration = Duration::from_millis(10);
/// A row that is committed for so long and has not arrived is one that waits.
const LOOKS_BACK: usize = 5;

/// Whether the request with this number has a slow reply: one in twenty.
pub(crate) fn is_slow(number: usize) -> bool {
    number % 20 == 19
}

/// The path of the request with this number.
pub(crate) fn path(number: usize) -> String {
    format!("/{}/{number}", if is_slow(number) { "slow" } else { "fast" })
}

/// 1,200/s, of which 5% take five seconds: they would need 300 slots, and there are 200.
pub(crate) fn run(report: &mut Report, _: &Path) {
    report.part("saturation: more slow replies than slots");
    let lab = Lab::new();
    let pace = Pace { rate: RATE, count: RATE * SECONDS, timeout_milliseconds: SLOW_TIMEOUT };
    let receiver = Receiver::start(pace.count);
    let (committed, done) = (Arc::new(AtomicUsize::new(0)), AtomicBool::new(false));
    let used = thread::scope(|scope| {
        let sampler = scope.spawn(|| sample(receiver.record(), &committed, &done));
        pace.run(&lab.cluster, &committed, |number| receiver.url(&path(number)));
        done.store(true, Ordering::Release);
        sampler.join().expect("the sampler")
    });
    assert!(!used.is_empty(), "rows waited");
    let least = percentile(&used, 1.0);
    report.row(Row {
        what: "1,200/s of the same, beyond saturation: slots of the origin in use whenever rows wait".into(),
        figure: format!("{:.0}% (the lowest hundredth; mean {:.1}%)", least * 100.0, mean(&used) * 100.0),
        yardstick: "200 slots, as the server sees them".into(),
        ratio: Some(least),
        target: "≥ 0.9".into(),
        met: least >= 0.9,
    });
    report.note(format!(
        "{} looks, one each {} ms, at which a row was committed for {} ms and had not arrived; requests that the server had not \
         answered yet against `pg_net.max_in_flight_per_origin`; lowest {:.0}%",
        used.len(),
        INTERVAL.as_millis(),
        INTERVAL.as_millis() * LOOKS_BACK as u128,
        percentile(&used, 0.0) * 100.0
    ));
}

/// The share of the slots in use, at each look at which rows wait.
fn sample(record: &Record, committed: &AtomicUsize, done: &AtomicBool) -> Vec<f64> {
    let mut used = Vec::new();
    let mut before = VecDeque::from([0; LOOKS_BACK]);
    while !done.load(Ordering::Acquire) {
        thread::sleep(INTERVAL);
        let open = record.open();
        if before.pop_front().is_some_and(|committed| committed > record.arrived()) {
            used.push(open as f64 / SLOTS);
        }
        before.push_back(committed.load(Ordering::Acquire));
    }
    used
}
