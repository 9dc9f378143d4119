//! What keeps an origin from getting all that the limits allow: that it asked to be left alone, that it cannot be reached,
//! or that it was so until a moment ago.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::breaker::Breaker;
use crate::failure::Failure;
use crate::origin::Origin;
use crate::standing::{OriginState, Standing};

/// How long an origin that nobody sends to is remembered.
const MEMORY: Duration = Duration::from_secs(10 * 60);

#[derive(Debug)]
pub(crate) struct Restraint {
    pub(crate) breaker: Breaker,
    held_until: Option<Instant>,
    /// How many may be under way while the origin recovers: it grows with each reply, so that those who waited do not all
    /// come at once.
    allowance: Option<usize>,
    /// Since when each of those in front has waited for the breaker: from when on it would have been under way without it.
    waiting_since: VecDeque<Instant>,
    touched: Instant,
    /// When to look whether it can be forgotten.
    reminder: Option<Instant>,
    told: Option<OriginState>,
}

impl Restraint {
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            breaker: Breaker::default(),
            held_until: None,
            allowance: None,
            waiting_since: VecDeque::new(),
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
            Standing::Held
        } else if self.breaker.is_open() {
            Standing::Probed
        } else {
            Standing::Open
        }
    }

    /// How things stand, if not as they were when that was last told.
    pub(crate) fn tell(&mut self, origin: &Origin) -> Option<OriginState> {
        let state = OriginState {
            origin: origin.clone(),
            standing: self.standing(),
            failures: self.breaker.failures(),
            last_failure: self.breaker.last_failure(),
            next_probe: self.breaker.next_probe(),
            held_until: self.held_until,
        };
        let changed = self.told.as_ref() != Some(&state);
        changed.then(|| self.told.insert(state).clone())
    }

    /// Whether another request may start.
    pub(crate) fn admits(&self, under_way: usize, per_origin: usize, now: Instant) -> bool {
        match self.standing() {
            Standing::Held => false,
            Standing::Probed => self.breaker.may_probe(now),
            Standing::Open => under_way < per_origin.min(self.allowance.unwrap_or(usize::MAX)),
        }
    }

    /// A reply came. Whether there is nothing left to restrain.
    pub(crate) fn reached(&mut self, per_origin: usize) -> bool {
        if self.breaker.is_open() {
            self.allowance = Some(1);
            self.waiting_since.clear();
        }
        self.breaker.close();
        self.grow(per_origin);
        self.is_lifted()
    }

    /// One more for each that ends: it doubles with each round trip.
    pub(crate) fn grow(&mut self, per_origin: usize) {
        self.allowance = self.allowance.map(|allowed| allowed + 1).filter(|allowed| *allowed < per_origin);
    }

    /// Stops probing. Whether there is nothing left to restrain.
    pub(crate) fn trust(&mut self) -> bool {
        self.breaker.close();
        self.waiting_since.clear();
        self.is_lifted()
    }

    fn is_lifted(&self) -> bool {
        self.allowance.is_none() && self.held_until.is_none()
    }

    /// Lets nothing start before `until`. Whether that is news.
    pub(crate) fn hold(&mut self, until: Instant) -> bool {
        let later = self.held_until.is_none_or(|held| held < until);
        if later {
            self.held_until = Some(until);
            self.waiting_since.clear();
        }
        later
    }

    /// Ends a hold whose time has come. Whether it did.
    pub(crate) fn release(&mut self, now: Instant) -> bool {
        let over = self.held_until.is_some_and(|until| until <= now);
        if over {
            self.held_until = None;
            self.allowance = Some(1);
        }
        over
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

    // What follows is about those who wait for the breaker.

    /// How many do.
    pub(crate) fn waiters(&self) -> usize {
        self.waiting_since.len()
    }

    /// The next in line begins to wait.
    pub(crate) fn wait(&mut self, now: Instant) {
        self.waiting_since.push_back(now);
    }

    /// Has a probe made within half of the timeout of the one in this place, so that there is something to tell it in the
    /// end, unless there is already.
    pub(crate) fn hasten_for(&mut self, place: usize, timeout: Duration) {
        if let Some(&since) = self.waiting_since.get(place)
            && self.breaker.failure_since(since).is_none()
        {
            self.breaker.hasten(since + timeout / 2);
        }
    }

    /// What to tell the one in this place, if it has waited for as long as its timeout: what came of a probe that was made
    /// while it waited.
    pub(crate) fn verdict(&self, place: usize, timeout: Duration, now: Instant) -> Option<(Duration, Failure)> {
        let since = *self.waiting_since.get(place)?;
        let waited = now.saturating_duration_since(since);
        let failure = self.breaker.failure_since(since).filter(|_| waited >= timeout)?;
        Some((waited, failure.clone()))
    }

    /// The one in this place waits no more.
    pub(crate) fn leave(&mut self, place: usize) {
        self.waiting_since.remove(place);
    }

    /// Nobody waits any more.
    pub(crate) fn nobody_waits(&mut self) {
        self.waiting_since.clear();
    }
}
