//! Points in time as Postgres has them.

use std::time::Duration;

pub(crate) use pg_net_core::{NEVER, NEVER_YET, Timestamp};
use pgrx::pg_sys;

/// The time now, not that of the transaction's start.
pub(crate) fn now() -> Timestamp {
    // SAFETY: asks the system's clock.
    unsafe { pg_sys::GetCurrentTimestamp() }
}

/// The time at which the transaction started: `now()`.
pub(crate) fn transaction_start() -> Timestamp {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetCurrentTransactionStartTimestamp() }
}

/// How long it is from one point to a later one; nothing where it is no later.
pub(crate) fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::from_micros(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}

/// The point so much later.
pub(crate) fn after(from: Timestamp, time: Duration) -> Timestamp {
    from.saturating_add(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}

/// The point so much earlier.
pub(crate) fn before(from: Timestamp, time: Duration) -> Timestamp {
    from.saturating_sub(i64::try_from(time.as_micros()).unwrap_or(i64::MAX))
}
