//! What waits for one origin.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::address::origin::Origin;
use crate::dispatch::origin_health::{Pace, Standing};
use crate::dispatch::origin_scheduler::{Limits, News, Started};
use crate::dispatch::origin_signal::Reading;
use crate::dispatch::origin_throttle::Restraint;
use crate::dispatch::timers::Alarms;
use crate::message::request::Request;

/// Time-outs in a row after which an origin counts as one that does not answer.
const MANY: u32 = 5;

/// How many start at once to an origin that does not answer, or has not answered yet, and how long the next ones wait. What starts
/// together times out together, and hundreds of time-outs in one moment would hold up all others.
const AT_ONCE: usize = 4;
const PACE: Duration = Duration::from_millis(1);

/// What can wait.
pub(crate) trait Queued {
    /// Whether it may be sent back to where it came from: it can wait where its origin asks to be left alone. What cannot goes
    /// out all the same.
    fn may_go_back(&self) -> bool;
}

impl Queued for Request {
    fn may_go_back(&self) -> bool {
        self.may_go_back
    }
}

#[derive(Debug)]
pub(crate) struct Lane<T> {
    pub(crate) waiting: VecDeque<T>,
    pub(crate) under_way: usize,
    /// How many of these started while the origin was sick.
    pub(crate) probes: usize,
    /// How many have given up their places, and how many of these are probes.
    placeless: usize,
    placeless_probes: usize,
    /// Whether the origin stands in the turns of all, or in those of the sick.
    pub(crate) has_turn: bool,
    /// Whether it was connected to.
    tried: bool,
    /// Whether it has answered, and has not been late too often since.
    answers: bool,
    late: u32,
    /// How many have started since it last paused, while it did not answer.
    at_once: usize,
    /// Until when no other starts, though there are places.
    rests_until: Option<Instant>,
    /// What the host knows.
    told: Option<Pace>,
    /// Rare, and none where the origin is well.
    pub(crate) restraint: Option<Box<Restraint>>,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: 0,
            probes: 0,
            placeless: 0,
            placeless_probes: 0,
            has_turn: false,
            tried: false,
            answers: false,
            late: 0,
            at_once: 0,
            rests_until: None,
            told: None,
            restraint: None,
        }
    }
}

impl<T: Queued> Lane<T> {
    /// Whether the origin has to be put into the turns now; then it counts as put.
    pub(crate) fn claims_turn(&mut self, limits: &Limits) -> bool {
        let claims = !self.has_turn && self.admits(limits) && self.next().is_some();
        self.has_turn |= claims;
        claims
    }

    /// Whether another one may start.
    pub(crate) fn admits(&self, limits: &Limits) -> bool {
        let most = if self.tried || self.is_sick() { limits.per_origin } else { limits.untried };
        let most = self.restraint.as_ref().map_or(most, |restraint| restraint.bound(most));
        self.under_way < most
    }

    /// Whether this tells nothing new about the origin: one that is sick cannot be connected to, one that does not answer is late.
    pub(crate) fn expects(&self, reading: Reading) -> bool {
        match reading {
            Reading::Missed(_) => self.is_sick(),
            Reading::Late => self.is_told_slow(),
            Reading::Reached | Reading::Nothing => false,
        }
    }

    pub(crate) fn is_sick(&self) -> bool {
        self.restraint.as_ref().is_some_and(|restraint| restraint.is_sick())
    }

    /// Which of those that wait is the first that may go.
    fn next(&self) -> Option<usize> {
        match &self.restraint {
            Some(restraint) if !restraint.lets_all_go(self.under_way) => {
                self.waiting.iter().position(|item| !item.may_go_back())
            }
            _ => (!self.waiting.is_empty()).then_some(0),
        }
    }

    /// Has the next one start a moment later, if many have started at once to an origin that does not answer. Gives the moment; the
    /// origin's turn counts as given until [`wake`](Self::wake).
    pub(crate) fn pause(&mut self, now: Instant) -> Option<Instant> {
        if self.silent() == 0 {
            self.at_once = 0;
            return None;
        }
        self.at_once += 1;
        let pauses = self.at_once >= AT_ONCE && !self.has_turn && !self.waiting.is_empty();
        self.has_turn |= pauses;
        self.rests_until = pauses.then(|| now + PACE);
        self.rests_until
    }

    /// Ends a pause whose time has come. Whether it was one of this lane.
    pub(crate) fn wake(&mut self, now: Instant) -> bool {
        let wakes = self.rests_until.take_if(|until| *until <= now).is_some();
        if wakes {
            self.has_turn = false;
            self.at_once = 0;
        }
        wakes
    }

    /// Starts it.
    pub(crate) fn start(&mut self) -> Option<Started<T>> {
        let item = self.waiting.remove(self.next()?)?;
        let probe = self.is_sick();
        self.under_way += 1;
        self.probes += usize::from(probe);
        Some(Started { item, probe, watch: !self.tried || self.restraint.is_some() })
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

    /// How many are under way to an origin that does not answer, but for those that try to connect to one that is sick, and
    /// those that have no place.
    pub(crate) fn silent(&self) -> usize {
        if self.answers { 0 } else { self.under_way - self.probes - (self.placeless - self.placeless_probes) }
    }

    pub(crate) fn give_place_up(&mut self, probe: bool) {
        self.placeless += 1;
        self.placeless_probes += usize::from(probe);
    }

    pub(crate) fn take_place(&mut self, probe: bool) {
        self.placeless -= 1;
        self.placeless_probes -= usize::from(probe);
    }

    /// The origin can be connected to.
    pub(crate) fn reach(&mut self) {
        self.tried = true;
    }

    /// It has answered.
    pub(crate) fn answer(&mut self) {
        self.answers = true;
        self.late = 0;
    }

    /// It was connected to, and has not answered in time.
    pub(crate) fn delay(&mut self) {
        self.late = self.late.saturating_add(1);
        self.answers &= self.late < MANY;
    }

    /// What the host has to hear about an origin whose name hangs, or that was connected to and has more than a few requests.
    pub(crate) fn tell_pace(&mut self, limits: &Limits) -> Option<Pace> {
        let pace = if self.answers {
            Pace::Answering
        } else if self.placeless > 0 {
            Pace::Hanging
        } else if self.tried {
            Pace::Silent
        } else {
            Pace::Unknown
        };
        let is_worth = match pace {
            Pace::Hanging => true,
            Pace::Unknown => self.told.is_some(),
            _ => self.tried && (self.told.is_some() || self.under_way + self.waiting.len() >= limits.untried),
        };
        let is_news = is_worth && self.told != Some(pace);
        is_news.then(|| *self.told.insert(pace))
    }

    /// Whether the host has to hear that nobody knows any more whether the origin answers.
    pub(crate) fn is_told_slow(&self) -> bool {
        matches!(self.told, Some(Pace::Silent | Pace::Hanging))
    }

    /// One could not connect.
    pub(crate) fn miss(&mut self, kind: &'static str, limits: &Limits, now: Instant) {
        let restraint = self.restrain(now);
        restraint.fail(kind, limits.breaker_failures, now);
        restraint.grow(limits.per_origin);
        // Once it recovers, that has to show anew.
        self.tried &= !self.is_sick();
    }

    /// Takes the origin to be well, as far as connecting is concerned. Whether that lifts a restraint.
    pub(crate) fn recover(&mut self, per_origin: usize) -> bool {
        let lifted = self.restraint.as_deref_mut().is_some_and(|restraint| {
            restraint.recover();
            restraint.grow(per_origin);
            restraint.is_lifted()
        });
        if lifted {
            self.restraint = None;
        }
        lifted
    }

    /// Does what a restraint makes due, and tells what has changed.
    pub(crate) fn attend(&mut self, origin: &Origin, now: Instant, alarms: &mut Alarms, news: &mut News<T>) {
        let Some(restraint) = &mut self.restraint else { return };
        restraint.release(now);
        if let Some(at) = restraint.remind(now) {
            alarms.set(at, origin);
        }
        if restraint.standing() == Standing::Deferred {
            let (go, stay) = self.waiting.drain(..).partition::<VecDeque<_>, _>(T::may_go_back);
            self.waiting = stay;
            news.sent_back.extend(go);
        }
        news.states.extend(restraint.tell(origin));
    }

    /// Takes out those that wait and are wanted.
    pub(crate) fn remove(&mut self, is_wanted: impl Fn(&T) -> bool, removed: &mut Vec<T>) {
        // Mostly it is another lane's.
        if !self.waiting.iter().any(&is_wanted) {
            return;
        }
        let (wanted, rest) = self.waiting.drain(..).partition::<VecDeque<_>, _>(is_wanted);
        self.waiting = rest;
        removed.extend(wanted);
    }

    /// Whether nobody would miss an idle one. `crowded` says that there are very many.
    pub(crate) fn is_forgettable(&self, crowded: bool, now: Instant) -> bool {
        self.restraint.as_ref().is_none_or(|restraint| crowded || restraint.is_stale(now))
    }

    pub(crate) fn lose_turn(&mut self) {
        self.has_turn = false;
        self.rests_until = None;
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.lose_turn();
    }
}
