//! What keeps an origin from getting all that the limits allow: that it asked to be left alone, that connecting to it failed, or
//! that it was so until a moment ago.

use std::time::{Duration, Instant};

use crate::address::origin::Origin;
use crate::dispatch::origin_health::{OriginState, Standing};

/// How long an origin that nobody sends to is remembered.
const MEMORY: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub(crate) struct Restraint {
    /// Failures to connect, in a row: the first one's moment, and the last one's name.
    failures: u32,
    failing_since: Option<Instant>,
    last_failure: Option<&'static str>,
    sick: bool,
    held_until: Option<Instant>,
    /// How many may be under way while the origin recovers: it grows with each that ends, so that those who waited do not all
    /// come at once.
    allowance: Option<usize>,
    /// The same for those who waited for the end of a hold, and for nobody else.
    trickle: Option<usize>,
    touched: Instant,
    /// When to look whether it can be forgotten.
    reminder: Option<Instant>,
    told: Option<OriginState>,
}

impl Restraint {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            failures: 0,
            failing_since: None,
            last_failure: None,
            sick: false,
            held_until: None,
            allowance: None,
            trickle: None,
            touched: now,
            reminder: None,
            told: None,
        }
    }

    pub(crate) fn touch(&mut self, now: Instant) {
        self.touched = now;
    }

    pub(crate) fn standing(&self) -> Standing {
        if self.held_until.is_some() {
            Standing::Deferred
        } else if self.sick {
            Standing::Probing
        } else {
            Standing::Healthy
        }
    }

    /// How things stand, if not as they were when that was last told.
    pub(crate) fn tell(&mut self, origin: &Origin) -> Option<OriginState> {
        let state = OriginState {
            origin: origin.clone(),
            standing: self.standing(),
            failures: self.failures,
            last_failure: self.last_failure,
            failing_since: self.failing_since,
            held_until: self.held_until,
        };
        let changed = self.told.as_ref() != Some(&state);
        changed.then(|| self.told.insert(state).clone())
    }

    /// How many may be under way, where `most` may be to an origin that is well. What sick ones may have beyond that is up to all
    /// that are sick.
    pub(crate) fn bound(&self, most: usize) -> usize {
        if self.sick { most } else { most.min(self.allowance.unwrap_or(usize::MAX)) }
    }

    pub(crate) fn is_sick(&self) -> bool {
        self.sick
    }

    /// Whether another one may start, with so many under way, though it could wait.
    pub(crate) fn lets_all_go(&self, under_way: usize) -> bool {
        self.held_until.is_none() && self.trickle.is_none_or(|most| under_way < most)
    }

    /// One could not connect. `threshold` is how many of them in a row make an origin sick; none do at 0.
    pub(crate) fn fail(&mut self, kind: &'static str, threshold: u32, now: Instant) {
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.last_failure = Some(kind);
        if threshold > 0 && self.failures >= threshold {
            self.sick = true;
            self.allowance = None;
        }
    }

    /// The origin was connected to.
    pub(crate) fn recover(&mut self) {
        if std::mem::take(&mut self.sick) {
            self.allowance = Some(1);
        }
        self.failures = 0;
        self.failing_since = None;
        self.last_failure = None;
    }

    /// One more for each that ends: it doubles with each round trip.
    pub(crate) fn grow(&mut self, per_origin: usize) {
        let grown = |allowed: Option<usize>| allowed.map(|allowed| allowed + 1).filter(|allowed| *allowed < per_origin);
        self.allowance = grown(self.allowance);
        self.trickle = grown(self.trickle);
    }

    /// Whether there is nothing left to restrain.
    pub(crate) fn is_lifted(&self) -> bool {
        !self.sick && self.failures == 0 && self.allowance.or(self.trickle).is_none() && self.held_until.is_none()
    }

    /// Lets nothing that can wait start before `until`. Whether that is news.
    pub(crate) fn hold(&mut self, until: Instant) -> bool {
        let later = self.held_until.is_none_or(|held| held < until);
        if later {
            self.held_until = Some(until);
        }
        later
    }

    /// Ends a hold whose time has come.
    pub(crate) fn release(&mut self, now: Instant) {
        if self.held_until.is_some_and(|until| until <= now) {
            self.held_until = None;
            self.trickle = Some(1);
        }
    }

    /// Whether there is no reason to remember an origin to which nothing is under way.
    pub(crate) fn is_stale(&self, now: Instant) -> bool {
        self.held_until.is_none() && self.touched + MEMORY <= now
    }

    /// When to look for that, if nothing is set for it.
    pub(crate) fn remind(&mut self, now: Instant) -> Option<Instant> {
        if self.reminder.is_some_and(|at| now < at) {
            return None;
        }
        self.reminder = Some(now + MEMORY);
        self.reminder
    }
}
