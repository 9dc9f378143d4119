mod places;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::address::origin::Origin;
use crate::dispatch::origin_health::{OriginState, Pace, Standing};
use crate::dispatch::origin_queue::{Lane, Queued};
use crate::dispatch::origin_signal::Reading;
use crate::dispatch::probe_limiter::Probes;
use crate::dispatch::timers::Alarms;

/// What waits to be started, in order for each origin, the origins in turn.
///
/// It also counts what is under way, so that it can keep to the limits, and hears how that goes, so that an origin in
/// trouble gets less.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    limits: Limits,
    lanes: HashMap<Origin, Lane<T>>,
    /// Whose next item may start, each once, in the order of their turns.
    turns: VecDeque<Turn>,
    probes: Probes,
    /// The origins that do not answer whose turn came when these had all their places.
    stalled: VecDeque<Origin>,
    /// The origins that do not answer whose next item starts a moment later, in this order.
    paused: VecDeque<(Instant, Origin)>,
    under_way: usize,
    /// Of these, those that have given up their places: they do not count for the limit of all.
    placeless: usize,
    /// To origins that do not answer, but for those.
    silent: usize,
    /// When to look at the origins in trouble.
    alarms: Alarms,
    news: News<T>,
}

#[derive(Debug)]
enum Turn {
    Of(Origin),
    /// Of one of those that are sick.
    Probe,
}

/// How many may be under way at once, and how many failures in a row make an origin sick.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) total: usize,
    pub(crate) per_origin: usize,
    /// To an origin that was not connected to so far.
    pub(crate) untried: usize,
    /// 0: none do.
    pub(crate) breaker_failures: u32,
}

impl Limits {
    /// To all origins that do not answer, or have not answered yet, beyond one for each.
    ///
    /// Decided: half of all, or what one origin may have where that is more. So with the quarter of those that are sick a
    /// quarter is left to those that answer, however many others hang until their time is up.
    fn silent(&self) -> usize {
        (self.total / 2).max(self.per_origin)
    }
}

/// An item that may start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Started<T> {
    pub(crate) item: T,
    /// Whether its origin is sick.
    pub(crate) probe: bool,
    /// Whether it is worth telling, by [`FairQueue::reach`], that there is a connection for it.
    pub(crate) watch: bool,
}

/// What has happened since it was last asked for.
#[derive(Debug)]
pub(crate) struct News<T> {
    pub(crate) states: Vec<OriginState>,
    /// Of origins that more than a few wait for, and that can be connected to.
    pub(crate) paces: Vec<(Origin, Pace)>,
    /// Items that can wait, of origins that are held: nobody knows for how long, so they do it elsewhere.
    pub(crate) sent_back: Vec<T>,
}

impl<T> Default for News<T> {
    fn default() -> Self {
        Self { states: Vec::new(), paces: Vec::new(), sent_back: Vec::new() }
    }
}

/// Origins beyond which those that nobody sends to are not remembered.
const MAX_REMEMBERED: usize = 10_000;

impl<T: Queued> FairQueue<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            lanes: HashMap::new(),
            turns: VecDeque::new(),
            probes: Probes::default(),
            stalled: VecDeque::new(),
            paused: VecDeque::new(),
            under_way: 0,
            placeless: 0,
            silent: 0,
            alarms: Alarms::default(),
            news: News::default(),
        }
    }

    /// Applies to what starts from now on; what is under way beyond a lower limit goes on.
    pub(crate) fn set_limits(&mut self, limits: Limits, now: Instant) {
        self.limits = limits;
        self.resume_stalled();
        let mut restrained = Vec::new();
        for (origin, lane) in &mut self.lanes {
            if lane.restraint.is_some() {
                restrained.push(origin.clone());
            } else if lane.claims_turn(&limits) {
                self.turns.push_back(Turn::Of(origin.clone()));
            }
        }
        for origin in restrained {
            if limits.breaker_failures == 0 {
                self.recover(&origin);
            }
            self.attend(&origin, now);
        }
    }

    pub(crate) fn push(&mut self, origin: Origin, item: T, now: Instant) {
        let lane = self.lanes.entry(origin.clone()).or_default();
        lane.waiting.push_back(item);
        // It may have been connected to while only a few were wanted, which nobody had to know.
        self.news.paces.extend(lane.tell_pace(&self.limits).map(|pace| (origin.clone(), pace)));
        if lane.restraint.is_some() {
            self.attend(&origin, now);
        } else if lane.claims_turn(&self.limits) {
            self.turns.push_back(Turn::Of(origin));
        }
    }

    /// The next item that the limits let start. It counts as under way until [`finish`](Self::finish).
    pub(crate) fn start(&mut self, now: Instant) -> Option<Started<T>> {
        if !self.has_place() {
            return None;
        }
        while let Some(turn) = self.turns.pop_front() {
            let started = match turn {
                Turn::Of(origin) => self.start_next(origin, now),
                Turn::Probe => self.start_probe(now),
            };
            if started.is_some() {
                self.under_way += 1;
                return started;
            }
        }
        None
    }

    fn start_next(&mut self, origin: Origin, now: Instant) -> Option<Started<T>> {
        let lane = self.lanes.get_mut(&origin)?;
        lane.has_turn = false;
        if lane.is_sick() {
            // Since the turn was given.
            self.give_turn(&origin, now);
            return None;
        }
        // The limit may have been lowered since.
        if lane.silent() > 0 && self.silent >= self.limits.silent() && lane.admits(&self.limits) {
            lane.has_turn = true;
            self.stalled.push_back(origin);
            return None;
        }
        let before = lane.silent();
        let started = lane.admits(&self.limits).then(|| lane.start()).flatten();
        self.silent += lane.silent() - before;
        if let Some(until) = lane.pause(now) {
            self.paused.push_back((until, origin));
        } else if lane.claims_turn(&self.limits) {
            self.turns.push_back(Turn::Of(origin));
        }
        started
    }

    fn start_probe(&mut self, now: Instant) -> Option<Started<T>> {
        self.probes.have_turn = false;
        let free = self.probes.free(self.limits.total);
        if free == 0 {
            return None;
        }
        // Each is looked at once. Mostly the first one will do.
        for _ in 0..self.probes.turns.len() {
            let origin = self.probes.turns.pop_front()?;
            let Some(lane) = self.lanes.get_mut(&origin) else { continue };
            lane.has_turn = false;
            let may_start = lane.is_sick() && lane.probes < free && lane.admits(&self.limits);
            let started = may_start.then(|| lane.start()).flatten();
            if started.is_some() {
                self.probes.start(now);
            }
            self.line_up(&origin);
            if started.is_some() {
                return started;
            }
        }
        None
    }

    /// Gives an origin its turn, if it is to have one.
    fn give_turn(&mut self, origin: &Origin, now: Instant) {
        self.line_up(origin);
        self.give_probes_their_turn(now);
    }

    fn line_up(&mut self, origin: &Origin) {
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        if lane.claims_turn(&self.limits) {
            if lane.is_sick() {
                self.probes.turns.push_back(origin.clone());
            } else {
                self.turns.push_back(Turn::Of(origin.clone()));
            }
        }
    }

    fn give_probes_their_turn(&mut self, now: Instant) {
        if self.probes.claim_turn(self.limits.total, now) {
            self.turns.push_back(Turn::Probe);
        }
    }

    /// There is a connection to the origin: how long its replies take, and whether any come, is no matter.
    pub(crate) fn reach(&mut self, origin: &Origin, now: Instant) {
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        lane.reach();
        self.news.paces.extend(lane.tell_pace(&self.limits).map(|pace| (origin.clone(), pace)));
        if lane.restraint.is_some() {
            self.recover(origin);
            self.attend(origin, now);
        } else if lane.claims_turn(&self.limits) {
            self.turns.push_back(Turn::Of(origin.clone()));
        }
    }

    fn recover(&mut self, origin: &Origin) {
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        if lane.is_sick() {
            // It has its next turn with the others.
            self.probes.leave(origin);
            self.stalled.retain(|stalled| stalled != origin);
            lane.lose_turn();
        }
        if lane.recover(self.limits.per_origin) {
            self.news.states.push(OriginState::well(origin));
        }
    }

    /// One that was started is done. Whether it ended as was to be expected of an origin that is sick or does not answer.
    pub(crate) fn finish(&mut self, origin: &Origin, probe: bool, reading: Reading, now: Instant) -> bool {
        let Some(lane) = self.lanes.get_mut(origin) else { return false };
        let silent = lane.silent();
        lane.under_way -= 1;
        self.under_way -= 1;
        if probe {
            lane.probes -= 1;
            self.probes.finish();
        }
        match reading {
            Reading::Reached => lane.answer(),
            Reading::Late => lane.delay(),
            Reading::Missed(_) | Reading::Nothing => {}
        }
        self.silent = self.silent + lane.silent() - silent;
        if !self.stalled.is_empty() {
            self.resume(origin, reading);
        }
        let Some(lane) = self.lanes.get_mut(origin) else { return false };
        let is_expected = lane.expects(reading);
        match reading {
            // The common way: an origin that is well, and stays so.
            Reading::Reached | Reading::Late | Reading::Nothing if lane.restraint.is_none() && !probe => {
                if !matches!(reading, Reading::Nothing) {
                    lane.reach();
                    self.news.paces.extend(lane.tell_pace(&self.limits).map(|pace| (origin.clone(), pace)));
                }
                if lane.claims_turn(&self.limits) {
                    self.turns.push_back(Turn::Of(origin.clone()));
                } else if lane.is_idle() {
                    self.forget(origin);
                }
                return is_expected;
            }
            Reading::Reached | Reading::Late => self.reach(origin, now),
            Reading::Missed(kind) => lane.miss(kind, &self.limits, now),
            Reading::Nothing => {
                if let Some(restraint) = &mut lane.restraint {
                    restraint.grow(self.limits.per_origin);
                }
            }
        }
        self.attend(origin, now);
        is_expected
    }

    fn forget(&mut self, origin: &Origin) {
        if self.lanes.remove(origin).is_some_and(|lane| lane.is_told_slow()) {
            self.news.paces.push((origin.clone(), Pace::Answering));
        }
    }

    /// The origin wants nothing before `until`: what can wait is sent back.
    pub(crate) fn hold(&mut self, origin: &Origin, until: Instant, now: Instant) {
        let lane = self.lanes.entry(origin.clone()).or_default();
        if lane.restrain(now).hold(until) {
            self.alarms.set(until, origin);
            self.attend(origin, now);
        }
    }

    /// Takes out what waits and is wanted.
    pub(crate) fn remove(&mut self, is_wanted: impl Fn(&T) -> bool, now: Instant) -> Vec<T> {
        let mut removed = Vec::new();
        let mut restrained = Vec::new();
        let mut has_idle = false;
        for (origin, lane) in &mut self.lanes {
            let before = removed.len();
            lane.remove(&is_wanted, &mut removed);
            if removed.len() > before {
                has_idle |= lane.is_idle();
                restrained.extend(lane.restraint.is_some().then(|| origin.clone()));
            }
        }
        if has_idle {
            self.lanes.retain(|_, lane| !lane.is_idle() || lane.restraint.is_some());
            self.turns.retain(|turn| match turn {
                Turn::Of(origin) => self.lanes.contains_key(origin),
                Turn::Probe => true,
            });
        }
        for origin in restrained {
            self.attend(&origin, now);
        }
        removed
    }

    /// When [`look`](Self::look) has something to do.
    pub(crate) fn next_look(&self) -> Option<Instant> {
        let paused = self.paused.front().map(|(until, _)| *until);
        self.alarms.next().into_iter().chain(self.probes.rest_until()).chain(paused).min()
    }

    /// Looks after the origins whose time has come.
    pub(crate) fn look(&mut self, now: Instant) {
        while let Some(origin) = self.alarms.take(now) {
            self.attend(&origin, now);
        }
        while self.paused.front().is_some_and(|(until, _)| *until <= now) {
            let Some((_, origin)) = self.paused.pop_front() else { break };
            if self.lanes.get_mut(&origin).is_some_and(|lane| lane.wake(now)) {
                self.line_up(&origin);
            }
        }
        self.give_probes_their_turn(now);
    }

    /// What happened to origins and to those who wait for them.
    pub(crate) fn news(&mut self) -> &mut News<T> {
        &mut self.news
    }

    /// Whether there is news that nothing else tells: how often one that is known to be sick has failed, the outcomes tell, too.
    pub(crate) fn has_urgent_news(&self) -> bool {
        let News { states, paces, sent_back } = &self.news;
        let is_urgent =
            |state: &OriginState| state.standing != Standing::Probing || state.failures <= self.limits.breaker_failures;
        !paces.is_empty() || !sent_back.is_empty() || states.iter().any(is_urgent)
    }

    /// Does for a restrained origin what has become due.
    fn attend(&mut self, origin: &Origin, now: Instant) {
        let crowded = self.lanes.len() > MAX_REMEMBERED;
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        lane.attend(origin, now, &mut self.alarms, &mut self.news);
        if lane.is_idle() && lane.is_forgettable(crowded, now) {
            if lane.restraint.is_some() {
                self.news.states.push(OriginState::well(origin));
            }
            self.probes.leave(origin);
            self.forget(origin);
        }
        self.give_turn(origin, now);
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.turns.clear();
        self.probes.clear();
        self.stalled.clear();
        self.paused.clear();
        self.lanes.retain(|_, lane| {
            lane.clear();
            !lane.is_idle() || lane.restraint.is_some()
        });
    }
}

#[cfg(test)]
mod tests;
