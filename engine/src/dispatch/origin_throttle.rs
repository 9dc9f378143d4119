//! What keeps an origin from getting all that the limits allow: it asked for a pause, or connecting to it fails, or
//! either was so until a moment ago.

use std::time::{Duration, Instant};

use crate::address::origin::Origin;
use crate::dispatch::origin_health::{OriginHealth, OriginState};

/// How long an origin that nothing is sent to is remembered.
const MEMORY: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub(crate) struct OriginThrottle {
    /// Failures to connect in a row, when the first one happened, and the name of the last one.
    failures: u32,
    failing_since: Option<Instant>,
    last_failure: Option<&'static str>,
    sick: bool,
    deferred_until: Option<Instant>,
    /// How many may be under way while the origin recovers. It grows with each that ends, so that those that waited
    /// do not all start at once.
    recovery_limit: Option<usize>,
    /// The same after a deferral, for those that waited for its end.
    deferred_limit: Option<usize>,
    touched: Instant,
    /// When to look whether the origin can be forgotten.
    cleanup_at: Option<Instant>,
    reported: Option<OriginState>,
}

impl OriginThrottle {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            failures: 0,
            failing_since: None,
            last_failure: None,
            sick: false,
            deferred_until: None,
            recovery_limit: None,
            deferred_limit: None,
            touched: now,
            cleanup_at: None,
            reported: None,
        }
    }

    pub(crate) fn touch(&mut self, now: Instant) {
        self.touched = now;
    }

    pub(crate) fn health(&self) -> OriginHealth {
        if self.deferred_until.is_some() {
            OriginHealth::Deferred
        } else if self.sick {
            OriginHealth::Probing
        } else {
            OriginHealth::Healthy
        }
    }

    /// The state of the origin, if it differs from the one reported last.
    pub(crate) fn changed_state(&mut self, origin: &Origin) -> Option<OriginState> {
        let state = OriginState {
            origin: origin.clone(),
            health: self.health(),
            failures: self.failures,
            last_failure: self.last_failure,
            failing_since: self.failing_since,
            deferred_until: self.deferred_until,
        };
        let changed = self.reported.as_ref() != Some(&state);
        changed.then(|| self.reported.insert(state).clone())
    }

    /// How many may be under way, where `most` may be to a healthy origin. For sick origins there is one limit
    /// together, see `probe_limiter.rs`.
    pub(crate) fn limit(&self, most: usize) -> usize {
        if self.sick { most } else { most.min(self.recovery_limit.unwrap_or(usize::MAX)) }
    }

    pub(crate) fn is_sick(&self) -> bool {
        self.sick
    }

    /// Whether an item that could wait may start, with so many under way.
    pub(crate) fn admits_deferrable(&self, under_way: usize) -> bool {
        self.deferred_until.is_none() && self.deferred_limit.is_none_or(|most| under_way < most)
    }

    /// An item could not connect. After `threshold` of them in a row the origin is sick; at 0 it never is.
    pub(crate) fn fail(&mut self, kind: &'static str, threshold: u32, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.last_failure = Some(kind);
        if threshold > 0 && self.failures >= threshold {
            self.sick = true;
            self.recovery_limit = None;
        }
    }

    /// The origin was connected to.
    pub(crate) fn recover(&mut self) {
        if std::mem::take(&mut self.sick) {
            self.recovery_limit = Some(1);
        }
        self.failures = 0;
        self.failing_since = None;
        self.last_failure = None;
    }

    /// Raises the limits by one for each item that ends, which doubles them with each round trip.
    pub(crate) fn grow(&mut self, per_origin: usize) {
        let grown = |allowed: Option<usize>| allowed.map(|allowed| allowed + 1).filter(|allowed| *allowed < per_origin);
        self.recovery_limit = grown(self.recovery_limit);
        self.deferred_limit = grown(self.deferred_limit);
    }

    /// Whether there is no reason left to throttle.
    pub(crate) fn is_lifted(&self) -> bool {
        !self.sick
            && self.failures == 0
            && self.recovery_limit.or(self.deferred_limit).is_none()
            && self.deferred_until.is_none()
    }

    /// No item that can wait starts before `until`. False if that was known.
    pub(crate) fn defer(&mut self, until: Instant) -> bool {
        let later = self.deferred_until.is_none_or(|held| held < until);
        if later {
            self.deferred_until = Some(until);
        }
        later
    }

    /// Ends a deferral whose time has come.
    pub(crate) fn end_deferral(&mut self, now: Instant) {
        if self.deferred_until.is_some_and(|until| until <= now) {
            self.deferred_until = None;
            self.deferred_limit = Some(1);
        }
    }

    /// Whether there is no reason to remember an origin to which nothing is under way.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.deferred_until.is_none() && self.touched + MEMORY <= now
    }

    /// When to look for that, if no timer is set.
    pub(crate) fn next_cleanup(&mut self, now: Instant) -> Option<Instant> {
        if self.cleanup_at.is_some_and(|at| now < at) {
            return None;
        }
        self.cleanup_at = Some(now + MEMORY);
        self.cleanup_at
    }
}
