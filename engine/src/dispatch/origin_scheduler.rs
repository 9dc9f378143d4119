mod places;

use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use crate::address::origin::Origin;
use crate::dispatch::limits::Limits;
use crate::dispatch::origin_health::{OriginHealth, OriginState, Responsiveness};
use crate::dispatch::origin_queue::{OriginQueue, Queued};
use crate::dispatch::origin_signal::OriginSignal;
use crate::dispatch::probe_limiter::ProbeLimiter;
use crate::dispatch::timers::OriginTimers;

/// Decides which request starts next: those of one origin in order, the origins in turn.
///
/// It counts what is under way, to keep to the limits, and hears how that ends, so that an origin in trouble gets
/// less.
#[derive(Debug)]
pub(crate) struct OriginScheduler<T> {
    limits: Limits,
    queues: HashMap<Origin, OriginQueue<T>>,
    /// The origins whose next item may start, each once, in the order of their turns.
    turns: VecDeque<Turn>,
    probe_limiter: ProbeLimiter,
    /// Silent origins whose turn came when all places of silent origins were taken.
    stalled: VecDeque<Origin>,
    /// Silent origins whose next item starts a moment later, and when, in this order.
    paced: VecDeque<(Instant, Origin)>,
    under_way: usize,
    /// Of these, those that have given up their places. They do not count for the limit of all.
    placeless: usize,
    /// Those to silent origins, without the ones above.
    silent: usize,
    /// When to look at the origins that are throttled.
    timers: OriginTimers,
    events: SchedulerEvents<T>,
}

#[derive(Debug)]
enum Turn {
    Of(Origin),
    /// Of one of the sick origins.
    Probe,
}

/// An item that may start.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Started<T> {
    pub(crate) item: T,
    /// Whether its origin is sick.
    pub(crate) probe: bool,
    /// Whether to call [`OriginScheduler::reach`] when there is a connection for it.
    pub(crate) watch: bool,
}

/// What has happened since the last time these were taken.
#[derive(Debug)]
pub(crate) struct SchedulerEvents<T> {
    pub(crate) states: Vec<OriginState>,
    /// Of origins that accept connections and that more than a few items wait for; and of those whose names hang.
    pub(crate) responsiveness: Vec<(Origin, Responsiveness)>,
    /// Items that can wait, of origins that are deferred. They wait at the host, as the pause may be long.
    pub(crate) sent_back: Vec<T>,
}

impl<T> Default for SchedulerEvents<T> {
    fn default() -> Self {
        Self { states: Vec::new(), responsiveness: Vec::new(), sent_back: Vec::new() }
    }
}

/// Beyond this many origins, those that nothing is sent to are forgotten.
const MAX_REMEMBERED: usize = 10_000;

impl<T: Queued> OriginScheduler<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self {
            limits,
            queues: HashMap::new(),
            turns: VecDeque::new(),
            probe_limiter: ProbeLimiter::default(),
            stalled: VecDeque::new(),
            paced: VecDeque::new(),
            under_way: 0,
            placeless: 0,
            silent: 0,
            timers: OriginTimers::default(),
            events: SchedulerEvents::default(),
        }
    }

    /// Applies to what starts from now on. What is under way beyond a lower limit goes on.
    pub(crate) fn set_limits(&mut self, limits: Limits, now: Instant) {
        self.limits = limits;
        self.resume_stalled();
        let mut throttled = Vec::new();
        for (origin, queue) in &mut self.queues {
            if queue.throttle.is_some() {
                throttled.push(origin.clone());
            } else if queue.claim_turn(&limits) {
                self.turns.push_back(Turn::Of(origin.clone()));
            }
        }
        for origin in throttled {
            if limits.breaker_failures == 0 {
                self.recover(&origin);
            }
            self.apply_throttle(&origin, now);
        }
    }

    pub(crate) fn push(&mut self, origin: Origin, item: T, now: Instant) {
        let queue = self.queues.entry(origin.clone()).or_default();
        queue.waiting.push_back(item);
        // The origin may have been connected to while only a few items waited, which was not worth reporting.
        queue.report_responsiveness(&origin, &self.limits, &mut self.events);
        if queue.throttle.is_some() {
            self.apply_throttle(&origin, now);
        } else if queue.claim_turn(&self.limits) {
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
        let queue = self.queues.get_mut(&origin)?;
        queue.is_queued = false;
        if queue.is_sick() {
            // It became sick after it got the turn.
            self.schedule(&origin, now);
            return None;
        }
        // The limit may have been lowered in the meantime.
        if queue.silent() > 0 && self.silent >= self.limits.silent() && queue.has_capacity(&self.limits) {
            queue.is_queued = true;
            self.stalled.push_back(origin);
            return None;
        }
        let before = queue.silent();
        let started = queue.has_capacity(&self.limits).then(|| queue.start()).flatten();
        self.silent += queue.silent() - before;
        if let Some(until) = queue.pace(now) {
            self.paced.push_back((until, origin));
        } else if queue.claim_turn(&self.limits) {
            self.turns.push_back(Turn::Of(origin));
        }
        if started.is_some() {
            self.probe_limiter.give_way(now);
        }
        started
    }

    fn start_probe(&mut self, now: Instant) -> Option<Started<T>> {
        self.probe_limiter.are_queued = false;
        let free = self.probe_limiter.free(self.limits.total);
        if free == 0 || self.probe_limiter.rests(now) {
            return None;
        }
        // Each origin is looked at once. Mostly the first one has an item that may start.
        for _ in 0..self.probe_limiter.turns.len() {
            let origin = self.probe_limiter.turns.pop_front()?;
            let Some(queue) = self.queues.get_mut(&origin) else { continue };
            queue.is_queued = false;
            let may_start = queue.is_sick() && queue.probes < free && queue.has_capacity(&self.limits);
            let started = may_start.then(|| queue.start()).flatten();
            if started.is_some() {
                self.probe_limiter.start(now);
            }
            self.enqueue(&origin);
            if started.is_some() {
                return started;
            }
        }
        None
    }

    /// Gives an origin a turn if it is to have one, and the sick origins theirs.
    fn schedule(&mut self, origin: &Origin, now: Instant) {
        self.enqueue(origin);
        self.schedule_probes(now);
    }

    /// Gives an origin a turn if it is to have one.
    fn enqueue(&mut self, origin: &Origin) {
        let Some(queue) = self.queues.get_mut(origin) else { return };
        if queue.claim_turn(&self.limits) {
            if queue.is_sick() {
                self.probe_limiter.turns.push_back(origin.clone());
            } else {
                self.turns.push_back(Turn::Of(origin.clone()));
            }
        }
    }

    /// Gives the sick origins their turn among all.
    fn schedule_probes(&mut self, now: Instant) {
        if self.probe_limiter.claim_turn(self.limits.total, now) {
            self.turns.push_back(Turn::Probe);
        }
    }

    /// There is a connection to the origin. Whether and how fast it replies does not matter here.
    pub(crate) fn reach(&mut self, origin: &Origin, now: Instant) {
        let Some(queue) = self.queues.get_mut(origin) else { return };
        queue.record_connected();
        queue.report_responsiveness(origin, &self.limits, &mut self.events);
        if queue.throttle.is_some() {
            self.recover(origin);
            self.apply_throttle(origin, now);
        } else if queue.claim_turn(&self.limits) {
            self.turns.push_back(Turn::Of(origin.clone()));
        }
    }

    fn recover(&mut self, origin: &Origin) {
        let Some(queue) = self.queues.get_mut(origin) else { return };
        if queue.is_sick() {
            // Its next turn is among all origins.
            self.probe_limiter.remove(origin);
            self.stalled.retain(|stalled| stalled != origin);
            queue.lose_turn();
        }
        if queue.recover(self.limits.per_origin) {
            self.events.states.push(OriginState::healthy(origin));
        }
    }

    /// An item that was started has ended. Whether it ended as expected of an origin that is sick or silent.
    pub(crate) fn finish(&mut self, origin: &Origin, probe: bool, signal: OriginSignal, now: Instant) -> bool {
        let Some(queue) = self.queues.get_mut(origin) else { return false };
        let silent = queue.silent();
        queue.under_way -= 1;
        self.under_way -= 1;
        if probe {
            queue.probes -= 1;
            self.probe_limiter.finish();
        }
        match signal {
            OriginSignal::Reached => queue.record_answer(),
            OriginSignal::Late => queue.record_late(),
            OriginSignal::Unreachable(_) | OriginSignal::Nothing => {}
        }
        self.silent = self.silent + queue.silent() - silent;
        if !self.stalled.is_empty() {
            self.resume(origin, signal);
        }
        let Some(queue) = self.queues.get_mut(origin) else { return false };
        let is_expected = queue.is_expected(signal);
        match signal {
            // The common case: a healthy origin that stays so.
            OriginSignal::Reached | OriginSignal::Late | OriginSignal::Nothing
                if queue.throttle.is_none() && !probe =>
            {
                if !matches!(signal, OriginSignal::Nothing) {
                    queue.record_connected();
                    queue.report_responsiveness(origin, &self.limits, &mut self.events);
                }
                if queue.claim_turn(&self.limits) {
                    self.turns.push_back(Turn::Of(origin.clone()));
                } else if queue.is_idle() {
                    self.forget(origin);
                }
                return is_expected;
            }
            OriginSignal::Reached | OriginSignal::Late => self.reach(origin, now),
            OriginSignal::Unreachable(kind) => queue.record_unreachable(kind, &self.limits, now),
            OriginSignal::Nothing => {
                if let Some(throttle) = &mut queue.throttle {
                    throttle.grow(self.limits.per_origin);
                }
            }
        }
        self.apply_throttle(origin, now);
        is_expected
    }

    fn forget(&mut self, origin: &Origin) {
        if self.queues.remove(origin).is_some_and(|queue| queue.is_reported_slow()) {
            self.events.responsiveness.push((origin.clone(), Responsiveness::Answering));
        }
    }

    /// The origin asked for a pause until `until`. Items that can wait are sent back.
    pub(crate) fn defer(&mut self, origin: &Origin, until: Instant, now: Instant) {
        let queue = self.queues.entry(origin.clone()).or_default();
        if queue.throttle(now).defer(until) {
            self.timers.set(until, origin);
            self.apply_throttle(origin, now);
        }
    }

    /// Takes out the items that wait and are wanted.
    pub(crate) fn remove(&mut self, is_wanted: impl Fn(&T) -> bool, now: Instant) -> Vec<T> {
        let mut removed = Vec::new();
        let mut throttled = Vec::new();
        let mut has_idle = false;
        for (origin, queue) in &mut self.queues {
            let before = removed.len();
            queue.remove(&is_wanted, &mut removed);
            if removed.len() > before {
                has_idle |= queue.is_idle();
                throttled.extend(queue.throttle.is_some().then(|| origin.clone()));
            }
        }
        if has_idle {
            self.queues.retain(|_, queue| !queue.is_idle() || queue.throttle.is_some());
            self.turns.retain(|turn| match turn {
                Turn::Of(origin) => self.queues.contains_key(origin),
                Turn::Probe => true,
            });
        }
        for origin in throttled {
            self.apply_throttle(&origin, now);
        }
        removed
    }

    /// When [`run_timers`](Self::run_timers) has something to do.
    pub(crate) fn next_timer(&self) -> Option<Instant> {
        let paced = self.paced.front().map(|(until, _)| *until);
        self.timers.next().into_iter().chain(self.probe_limiter.next_at()).chain(paced).min()
    }

    /// Does what has become due.
    pub(crate) fn run_timers(&mut self, now: Instant) {
        while let Some(origin) = self.timers.take(now) {
            self.apply_throttle(&origin, now);
        }
        while self.paced.front().is_some_and(|(until, _)| *until <= now) {
            let Some((_, origin)) = self.paced.pop_front() else { break };
            if self.queues.get_mut(&origin).is_some_and(|queue| queue.end_pause(now)) {
                self.enqueue(&origin);
            }
        }
        self.schedule_probes(now);
    }

    /// What has happened to origins and to the items that wait for them.
    pub(crate) fn events(&mut self) -> &mut SchedulerEvents<T> {
        &mut self.events
    }

    /// Whether there are events that cannot wait for the next outcomes. How often a sick origin has failed is in the
    /// outcomes, too.
    pub(crate) fn has_urgent_events(&self) -> bool {
        let SchedulerEvents { states, responsiveness, sent_back } = &self.events;
        let is_urgent = |state: &OriginState| {
            state.health != OriginHealth::Probing || state.failures <= self.limits.breaker_failures
        };
        !responsiveness.is_empty() || !sent_back.is_empty() || states.iter().any(is_urgent)
    }

    /// Does what the throttle of an origin makes due, and forgets the origin if there is no reason to remember it.
    fn apply_throttle(&mut self, origin: &Origin, now: Instant) {
        let crowded = self.queues.len() > MAX_REMEMBERED;
        let Some(queue) = self.queues.get_mut(origin) else { return };
        queue.apply_throttle(origin, now, &mut self.timers, &mut self.events);
        if queue.is_idle() && queue.is_forgettable(crowded, now) {
            if queue.throttle.is_some() {
                self.events.states.push(OriginState::healthy(origin));
            }
            self.probe_limiter.remove(origin);
            self.forget(origin);
        }
        self.schedule(origin, now);
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.turns.clear();
        self.probe_limiter.clear();
        self.stalled.clear();
        self.paced.clear();
        self.queues.retain(|_, queue| {
            queue.clear();
            !queue.is_idle() || queue.throttle.is_some()
        });
    }
}

#[cfg(test)]
mod tests;
