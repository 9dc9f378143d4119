//! How long code of users may run in a worker: Postgres' own timer of statements, which its commands set and we do not use otherwise.

use std::cell::Cell;
use std::ffi::c_int;
use std::time::{Duration, Instant};

use pgrx::pg_sys;

/// `STATEMENT_TIMEOUT` of Postgres' timeout.h, which is not among the bindings.
const STATEMENT: c_int = 3;

unsafe extern "C-unwind" {
    // Neither raises for a timer that every process has, and a time above 0.
    fn enable_timeout_after(timer: c_int, milliseconds: c_int);
    fn disable_timeout(timer: c_int, keep_indicator: bool);
}

thread_local! {
    static LIMIT: Cell<Option<c_int>> = const { Cell::new(None) };
    static STARTED: Cell<Option<Instant>> = const { Cell::new(None) };
}

/// While it lives, what runs is cancelled when the time is up.
pub(crate) struct TimeLimit(());

impl TimeLimit {
    pub(crate) fn new(limit: Duration) -> Self {
        LIMIT.set(Some(c_int::try_from(limit.as_millis()).unwrap_or(c_int::MAX).max(1)));
        start_over();
        Self(())
    }

    /// Whether the time is up.
    pub(crate) fn is_over(&self) -> bool {
        let limit = LIMIT.get().and_then(|limit| u64::try_from(limit).ok()).map(Duration::from_millis);
        STARTED.get().zip(limit).is_some_and(|(started, limit)| started.elapsed() >= limit)
    }
}

impl Drop for TimeLimit {
    fn drop(&mut self) {
        if LIMIT.take().is_some() {
            // SAFETY: a timer of this process. A cancel that came too late has nothing to cancel: a variable of this process, which only
            // the handler sets.
            unsafe {
                disable_timeout(STATEMENT, false);
                pg_sys::QueryCancelPending = 0;
            }
        }
    }
}

/// Gives what runs from here on all of the time, if it is limited.
pub(crate) fn start_over() {
    if let Some(limit) = LIMIT.get() {
        STARTED.set(Some(Instant::now()));
        // SAFETY: a timer of this process; where it runs already, it starts over. Where it has just gone off, that is forgotten: a
        // variable of this process, which only the handler sets.
        unsafe {
            enable_timeout_after(STATEMENT, limit);
            pg_sys::QueryCancelPending = 0;
        }
    }
}
