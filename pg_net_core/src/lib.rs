//! What pg_net's worker and launcher decide, without Postgres and without sockets, so that it is tested without a server.
//!
//! [`record_queue`] splits a batch that cannot be stored, [`disposition`] says what an outcome means for its request,
//! [`due_schedule`] when rows fall due, [`coalesce`] when to wait for more of the same, [`idle_policy`] when a worker goes.
//! [`launch_requests`], [`wake_schedule`], [`pending_keys`] and [`key_set`] lie in shared memory: they are made of atomics, and
//! zeroes are valid for each.

#![forbid(unsafe_code)]

pub mod backoff;
pub mod coalesce;
pub mod disposition;
pub mod due_schedule;
pub mod idle_policy;
pub mod key_set;
pub mod launch_requests;
pub mod pending_keys;
pub mod record_queue;
pub mod wake_schedule;

/// The row key of a request in the queue.
pub type Key = i64;

/// A `timestamptz`: microseconds since the beginning of 2000, UTC (manual, "Date/Time Types").
pub type Timestamp = i64;

/// `-infinity`.
pub const NEVER_YET: Timestamp = Timestamp::MIN;
/// `infinity`.
pub const NEVER: Timestamp = Timestamp::MAX;
