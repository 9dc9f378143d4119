use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::alarms::Alarms;
use crate::failure::Failure;
use crate::jitter::Jitter;
use crate::lane::{Lane, Queued};
use crate::origin::Origin;
use crate::standing::OriginState;

/// What waits to be started, in order for each origin, the origins in turn.
///
/// It also counts what is under way, so that it can keep to the limits, and hears how that ends, so that an origin in
/// trouble gets less.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    limits: Limits,
    lanes: HashMap<Origin, Lane<T>>,
    /// The origins whose next item may start, each once, in the order of their turns.
    turns: VecDeque<Origin>,
    under_way: usize,
    /// When to look at the origins in trouble.
    alarms: Alarms,
    jitter: Jitter,
    news: News<T>,
}

/// How many may be under way at once, and how many failures in a row make an origin one that is probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) total: usize,
    pub(crate) per_origin: usize,
    /// 0: none does.
    pub(crate) breaker_failures: u32,
}

/// An item that may start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Started<T> {
    pub(crate) item: T,
    /// Whether it shall show if its origin can be reached again.
    pub(crate) probe: bool,
}

/// What the end of an item says about its origin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading<'a> {
    /// It answers.
    Reached,
    /// It cannot be connected to, or does not answer in time.
    Missed(&'a Failure),
    /// Nothing.
    Nothing,
}

/// What has happened since it was last asked for.
#[derive(Debug)]
pub(crate) struct News<T> {
    pub(crate) states: Vec<OriginState>,
    /// Items of origins that are held: nobody knows for how long, so they wait elsewhere.
    pub(crate) sent_back: Vec<T>,
    pub(crate) given_up: Vec<GivenUp<T>>,
}

/// An item that waited for as long as its timeout while its origin was probed in vain.
#[derive(Debug)]
pub(crate) struct GivenUp<T> {
    pub(crate) item: T,
    pub(crate) waited: Duration,
    /// Of the last probe that was made meanwhile.
    pub(crate) failure: Failure,
}

impl<T> Default for News<T> {
    fn default() -> Self {
        Self { states: Vec::new(), sent_back: Vec::new(), given_up: Vec::new() }
    }
}

/// Origins beyond which those that nobody sends to are not remembered.
const MAX_REMEMBERED: usize = 10_000;

impl<T: Queued> FairQueue<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self::with_jitter(limits, Jitter::new())
    }

    pub(crate) fn with_jitter(limits: Limits, jitter: Jitter) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            under_way: 0,
            alarms: Alarms::default(),
            jitter,
            news: News::default(),
        }
    }

    /// Applies to what starts from now on; what is under way beyond a lower limit goes on.
    pub(crate) fn set_limits(&mut self, limits: Limits, now: Instant) {
        self.limits = limits;
        let mut restrained = Vec::new();
        for (origin, lane) in &mut self.lanes {
            if lane.restraint.is_some() {
                restrained.push(origin.clone());
            } else if lane.claims_turn(limits.per_origin, now) {
                self.turns.push_back(origin.clone());
            }
        }
        for origin in restrained {
            if limits.breaker_failures == 0
                && let Some(lane) = self.lanes.get_mut(&origin)
                && lane.trust()
            {
                self.news.states.push(OriginState::well(&origin));
            }
            self.attend(&origin, now);
        }
    }

    pub(crate) fn push(&mut self, origin: Origin, item: T, now: Instant) {
        let lane = self.lanes.entry(origin.clone()).or_default();
        lane.waiting.push_back(item);
        if lane.restraint.is_some() {
            self.attend(&origin, now);
        } else if lane.claims_turn(self.limits.per_origin, now) {
            self.turns.push_back(origin);
        }
    }

    /// The next item that the limits let start. It counts as under way until [`finish`](Self::finish).
    pub(crate) fn start(&mut self, now: Instant) -> Option<Started<T>> {
        if self.under_way >= self.limits.total {
            return None;
        }
        while let Some(origin) = self.turns.pop_front() {
            let Some(lane) = self.lanes.get_mut(&origin) else { continue };
            lane.has_turn = false;
            // The limit may have been lowered since the turn was given.
            if !lane.admits(self.limits.per_origin, now) {
                continue;
            }
            let Some(started) = lane.start(now) else { continue };
            self.under_way += 1;
            if lane.claims_turn(self.limits.per_origin, now) {
                self.turns.push_back(origin);
            }
            return Some(started);
        }
        None
    }

    /// One that was started is done.
    pub(crate) fn finish(&mut self, origin: &Origin, probe: bool, reading: Reading<'_>, now: Instant) {
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        lane.under_way -= 1;
        self.under_way -= 1;
        match reading {
            // The common way: an origin that is well, and stays so.
            Reading::Reached | Reading::Nothing if lane.restraint.is_none() => {
                if lane.claims_turn(self.limits.per_origin, now) {
                    self.turns.push_back(origin.clone());
                } else if lane.is_idle() {
                    self.lanes.remove(origin);
                }
                return;
            }
            Reading::Reached => {
                if lane.reached(self.limits.per_origin) {
                    self.news.states.push(OriginState::well(origin));
                }
            }
            Reading::Missed(failure) => {
                let threshold = self.limits.breaker_failures;
                let restraint = lane.restrain(now);
                restraint.breaker.fail(failure, probe, threshold, now, &mut self.jitter);
                restraint.grow(self.limits.per_origin);
            }
            Reading::Nothing => lane.waive(probe, now),
        }
        self.attend(origin, now);
    }

    /// The origin wants nothing before `until`.
    pub(crate) fn hold(&mut self, origin: &Origin, until: Instant, now: Instant) {
        let lane = self.lanes.entry(origin.clone()).or_default();
        if lane.restrain(now).hold(until) {
            self.alarms.set(until, origin);
            self.attend(origin, now);
        }
    }

    /// When [`look`](Self::look) has something to do.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        self.alarms.next()
    }

    /// Looks after the origins whose time has come.
    pub(crate) fn look(&mut self, now: Instant) {
        while let Some(origin) = self.alarms.take(now) {
            self.attend(&origin, now);
        }
    }

    /// What happened to origins and to those who wait for them.
    pub(crate) fn news(&mut self) -> &mut News<T> {
        &mut self.news
    }

    /// Does for a restrained origin what has become due.
    fn attend(&mut self, origin: &Origin, now: Instant) {
        let crowded = self.lanes.len() > MAX_REMEMBERED;
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        lane.attend(origin, self.limits.per_origin, now, &mut self.alarms, &mut self.news);
        if lane.claims_turn(self.limits.per_origin, now) {
            self.turns.push_back(origin.clone());
        } else if lane.is_idle() && lane.is_forgettable(crowded, now) {
            if lane.restraint.is_some() {
                self.news.states.push(OriginState::well(origin));
            }
            self.lanes.remove(origin);
        }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.turns.clear();
        self.lanes.retain(|_, lane| {
            lane.clear();
            !lane.is_idle() || lane.restraint.is_some()
        });
    }
}

#[cfg(test)]
mod tests;
