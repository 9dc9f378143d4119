//! What waits for one origin.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::alarms::Alarms;
use crate::fair_queue::{GivenUp, News, Started};
use crate::origin::Origin;
use crate::restraint::Restraint;
use crate::standing::Standing;

/// What can wait.
pub(crate) trait Queued {
    /// How long it may take once it is under way, and so how long it waits for an origin that is probed.
    fn timeout(&self) -> Duration;

    /// Whether it may be sent back to where it came from.
    fn may_go_back(&self) -> bool;
}

#[derive(Debug)]
pub(crate) struct Lane<T> {
    pub(crate) waiting: VecDeque<T>,
    pub(crate) under_way: usize,
    /// Whether the origin stands in the turns.
    pub(crate) has_turn: bool,
    /// Rare, and none where the origin is well.
    pub(crate) restraint: Option<Box<Restraint>>,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), under_way: 0, has_turn: false, restraint: None }
    }
}

impl<T: Queued> Lane<T> {
    /// Whether the origin has to be put into the turns now; then it counts as put.
    pub(crate) fn claims_turn(&mut self, per_origin: usize, now: Instant) -> bool {
        let claims = !self.has_turn && !self.waiting.is_empty() && self.admits(per_origin, now);
        self.has_turn |= claims;
        claims
    }

    /// Whether another one may start.
    pub(crate) fn admits(&self, per_origin: usize, now: Instant) -> bool {
        match &self.restraint {
            None => self.under_way < per_origin,
            Some(restraint) => restraint.admits(self.under_way, per_origin, now),
        }
    }

    /// Starts the first that waits.
    pub(crate) fn start(&mut self, now: Instant) -> Option<Started<T>> {
        let item = self.waiting.pop_front()?;
        self.under_way += 1;
        let mut probe = false;
        if let Some(restraint) = &mut self.restraint {
            probe = restraint.standing() == Standing::Probed;
            restraint.breaker.probe(now);
            restraint.leave(0);
        }
        Some(Started { item, probe })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.under_way == 0 && self.waiting.is_empty()
    }

    /// The restraint that there is from now on.
    pub(crate) fn restrain(&mut self, now: Instant) -> &mut Restraint {
        let restraint = self.restraint.get_or_insert_with(|| Box::new(Restraint::new(now)));
        restraint.touch(now);
        restraint
    }

    /// A reply came. Whether that lifts a restraint.
    pub(crate) fn reached(&mut self, per_origin: usize) -> bool {
        self.lift_if(|restraint| restraint.reached(per_origin))
    }

    /// Probes no more. Whether that lifts a restraint.
    pub(crate) fn trust(&mut self) -> bool {
        self.lift_if(Restraint::trust)
    }

    fn lift_if(&mut self, is_lifted: impl FnOnce(&mut Restraint) -> bool) -> bool {
        let lifted = self.restraint.as_deref_mut().is_some_and(is_lifted);
        if lifted {
            self.restraint = None;
        }
        lifted
    }

    /// One ended that says nothing about the origin.
    pub(crate) fn waive(&mut self, probe: bool, now: Instant) {
        if let Some(restraint) = self.restraint.as_mut().filter(|_| probe) {
            restraint.breaker.waive(now);
        }
    }

    /// Does what a restraint makes due, and tells what has changed.
    pub(crate) fn attend(
        &mut self,
        origin: &Origin,
        per_origin: usize,
        now: Instant,
        alarms: &mut Alarms,
        news: &mut News<T>,
    ) {
        let Some(restraint) = &mut self.restraint else { return };
        restraint.release(now);
        if let Some(at) = restraint.remind(now) {
            alarms.set(at, origin);
        }
        match restraint.standing() {
            Standing::Held => {
                let (go, stay) = self.waiting.drain(..).partition::<VecDeque<_>, _>(T::may_go_back);
                self.waiting = stay;
                news.sent_back.extend(go);
            }
            Standing::Probed => self.wait_for_probes(origin, per_origin, now, alarms, news),
            Standing::Open => {}
        }
        if let Some(restraint) = &mut self.restraint
            && let Some(state) = restraint.tell(origin)
        {
            news.states.push(state);
        }
    }

    fn wait_for_probes(
        &mut self,
        origin: &Origin,
        per_origin: usize,
        now: Instant,
        alarms: &mut Alarms,
        news: &mut News<T>,
    ) {
        let Some(restraint) = &mut self.restraint else { return };
        let mut place = 0;
        while place < restraint.waiters() {
            let Some(timeout) = self.waiting.get(place).map(T::timeout) else { break };
            match restraint.verdict(place, timeout, now) {
                Some((waited, failure)) => {
                    restraint.leave(place);
                    news.given_up.extend(self.waiting.remove(place).map(|item| GivenUp { item, waited, failure }));
                }
                None => {
                    restraint.hasten_for(place, timeout);
                    place += 1;
                }
            }
        }
        for item in self.waiting.iter().take(per_origin).skip(place) {
            restraint.wait(now);
            restraint.hasten_for(place, item.timeout());
            alarms.set(now + item.timeout(), origin);
            place += 1;
        }
        if let Some(at) = restraint.breaker.next_probe().filter(|&at| place > 0 && at > now) {
            alarms.set(at, origin);
        }
    }

    /// Whether nobody would miss an idle one. `crowded` says that there are very many.
    pub(crate) fn is_forgettable(&self, crowded: bool, now: Instant) -> bool {
        self.restraint.as_ref().is_none_or(|restraint| crowded || restraint.is_stale(now))
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.has_turn = false;
        if let Some(restraint) = &mut self.restraint {
            restraint.nobody_waits();
        }
    }
}
