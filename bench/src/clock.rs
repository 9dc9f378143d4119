//! One clock for all: microseconds since 1970, as Postgres' `created` can be compared with, that never jump within a run.

use std::sync::OnceLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Microseconds since 1970.
pub(crate) fn now() -> i64 {
    static START: OnceLock<(Instant, i64)> = OnceLock::new();
    let (start, at) = START.get_or_init(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock after 1970");
        (Instant::now(), microseconds(since))
    });
    at + microseconds(start.elapsed())
}

fn microseconds(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).expect("a time within reason")
}

/// The milliseconds between two times.
pub(crate) fn milliseconds(from: i64, to: i64) -> f64 {
    (to - from) as f64 / 1000.0
}
