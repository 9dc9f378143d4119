//! The queue of one origin.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::address::origin::Origin;
use crate::dispatch::limits::Limits;
use crate::dispatch::origin_health::{OriginHealth, Responsiveness};
use crate::dispatch::origin_scheduler::{SchedulerEvents, Started};
use crate::dispatch::origin_signal::OriginSignal;
use crate::dispatch::origin_throttle::OriginThrottle;
use crate::dispatch::timers::OriginTimers;
use crate::message::request::Request;

/// Time-outs in a row after which an origin counts as silent.
const LATE_IN_A_ROW: u32 = 5;

/// How many items of a silent origin start at once, and the pause before the next. What starts together times out
/// together, and hundreds of time-outs in one moment would hold up all others.
const BURST: usize = 4;
const BURST_INTERVAL: Duration = Duration::from_millis(1);

/// What an origin's queue holds.
pub(crate) trait Queued {
    /// Whether it may be sent back to the host while its origin is deferred. If not, it starts all the same.
    fn may_go_back(&self) -> bool;
}

impl Queued for Request {
    fn may_go_back(&self) -> bool {
        self.may_go_back
    }
}

/// The items for one origin, and what is known of it.
#[derive(Debug)]
pub(crate) struct OriginQueue<T> {
    pub(crate) waiting: VecDeque<T>,
    pub(crate) under_way: usize,
    /// How many of these started while the origin was sick.
    pub(crate) probes: usize,
    /// How many have given up their places, and how many of those are probes.
    placeless: usize,
    placeless_probes: usize,
    /// Whether the origin has a turn, among all origins or among the sick ones.
    pub(crate) is_queued: bool,
    /// Whether it was connected to.
    tried: bool,
    /// Whether it has answered, and has not been late too often since.
    answers: bool,
    late: u32,
    /// How many items have started since the last pause, while it was silent.
    burst: usize,
    /// Until when no other item starts, although there are places.
    paced_until: Option<Instant>,
    /// What the host knows.
    reported: Option<Responsiveness>,
    /// None for a healthy origin, as nearly all are.
    pub(crate) throttle: Option<Box<OriginThrottle>>,
}

impl<T> Default for OriginQueue<T> {
    fn default() -> Self {
        Self {
            waiting: VecDeque::new(),
            under_way: 0,
            probes: 0,
            placeless: 0,
            placeless_probes: 0,
            is_queued: false,
            tried: false,
            answers: false,
            late: 0,
            burst: 0,
            paced_until: None,
            reported: None,
            throttle: None,
        }
    }
}

impl<T: Queued> OriginQueue<T> {
    /// Whether the origin has to get a turn now. Then it counts as queued.
    pub(crate) fn claim_turn(&mut self, limits: &Limits) -> bool {
        let claims = !self.is_queued && self.has_capacity(limits) && self.next().is_some();
        self.is_queued |= claims;
        claims
    }

    /// Whether another item may start.
    pub(crate) fn has_capacity(&self, limits: &Limits) -> bool {
        let most = if self.tried || self.is_sick() { limits.per_origin } else { limits.untried };
        let most = self.throttle.as_ref().map_or(most, |throttle| throttle.limit(most));
        self.under_way < most
    }

    /// Whether this tells nothing new about the origin: a sick one cannot be connected to, a silent one is late.
    pub(crate) fn is_expected(&self, signal: OriginSignal) -> bool {
        match signal {
            OriginSignal::Unreachable(_) => self.is_sick(),
            OriginSignal::Late => self.is_reported_slow(),
            OriginSignal::Reached | OriginSignal::Nothing => false,
        }
    }

    pub(crate) fn is_sick(&self) -> bool {
        self.throttle.as_ref().is_some_and(|throttle| throttle.is_sick())
    }

    /// The first of the waiting items that may start.
    fn next(&self) -> Option<usize> {
        match &self.throttle {
            Some(throttle) if !throttle.admits_deferrable(self.under_way) => {
                self.waiting.iter().position(|item| !item.may_go_back())
            }
            _ => (!self.waiting.is_empty()).then_some(0),
        }
    }

    /// Delays the next item if many have started at once to a silent origin. Gives the moment at which it may start.
    /// Until [`end_pause`](Self::end_pause), the origin counts as queued.
    pub(crate) fn pace(&mut self, now: Instant) -> Option<Instant> {
        if self.silent() == 0 {
            self.burst = 0;
            return None;
        }
        self.burst += 1;
        let pauses = self.burst >= BURST && !self.is_queued && !self.waiting.is_empty();
        self.is_queued |= pauses;
        self.paced_until = pauses.then(|| now + BURST_INTERVAL);
        self.paced_until
    }

    /// Ends a pause whose time has come. False if the origin has none.
    pub(crate) fn end_pause(&mut self, now: Instant) -> bool {
        let wakes = self.paced_until.take_if(|until| *until <= now).is_some();
        if wakes {
            self.is_queued = false;
            self.burst = 0;
        }
        wakes
    }

    /// Starts the next item.
    pub(crate) fn start(&mut self) -> Option<Started<T>> {
        let item = self.waiting.remove(self.next()?)?;
        let probe = self.is_sick();
        self.under_way += 1;
        self.probes += usize::from(probe);
        Some(Started { item, probe, watch: !self.tried || self.throttle.is_some() })
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.under_way == 0 && self.waiting.is_empty()
    }

    /// Throttles the origin from now on.
    pub(crate) fn throttle(&mut self, now: Instant) -> &mut OriginThrottle {
        let throttle = self.throttle.get_or_insert_with(|| Box::new(OriginThrottle::new(now)));
        throttle.touch(now);
        throttle
    }

    /// How many items are under way to an origin that is silent. Probes and items that have no place do not count.
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

    /// The origin was connected to.
    pub(crate) fn record_connected(&mut self) {
        self.tried = true;
    }

    /// It has answered.
    pub(crate) fn record_answer(&mut self) {
        self.answers = true;
        self.late = 0;
    }

    /// It was connected to, and has not answered in time.
    pub(crate) fn record_late(&mut self) {
        self.late = self.late.saturating_add(1);
        self.answers &= self.late < LATE_IN_A_ROW;
    }

    /// Reports what the host has to hear: that the name hangs, or how an origin responds that was connected to and
    /// has more than a few items.
    pub(crate) fn report_responsiveness(&mut self, origin: &Origin, limits: &Limits, events: &mut SchedulerEvents<T>) {
        let responsiveness = if self.answers {
            Responsiveness::Answering
        } else if self.placeless > 0 {
            Responsiveness::Hanging
        } else if self.tried {
            Responsiveness::Silent
        } else {
            Responsiveness::Unknown
        };
        let is_worth = match responsiveness {
            Responsiveness::Hanging => true,
            Responsiveness::Unknown => self.reported.is_some(),
            _ => self.tried && (self.reported.is_some() || self.under_way + self.waiting.len() >= limits.untried),
        };
        let is_news = is_worth && self.reported != Some(responsiveness);
        if is_news {
            self.reported = Some(responsiveness);
            events.responsiveness.push((origin.clone(), responsiveness));
        }
    }

    /// Whether the host takes the origin for silent or hanging.
    pub(crate) fn is_reported_slow(&self) -> bool {
        matches!(self.reported, Some(Responsiveness::Silent | Responsiveness::Hanging))
    }

    /// An item could not connect.
    pub(crate) fn record_unreachable(&mut self, kind: &'static str, limits: &Limits, now: Instant) {
        let throttle = self.throttle(now);
        throttle.fail(kind, limits.breaker_failures, now);
        throttle.grow(limits.per_origin);
        // After it recovers, connecting has to succeed again before it gets more than a few.
        self.tried &= !self.is_sick();
    }

    /// The origin can be connected to again. Whether that ends its throttle.
    pub(crate) fn recover(&mut self, per_origin: usize) -> bool {
        let lifted = self.throttle.as_deref_mut().is_some_and(|throttle| {
            throttle.recover();
            throttle.grow(per_origin);
            throttle.is_lifted()
        });
        if lifted {
            self.throttle = None;
        }
        lifted
    }

    /// Does what the throttle makes due, and adds what has changed to `events`.
    pub(crate) fn apply_throttle(
        &mut self,
        origin: &Origin,
        now: Instant,
        timers: &mut OriginTimers,
        events: &mut SchedulerEvents<T>,
    ) {
        let Some(throttle) = &mut self.throttle else { return };
        throttle.end_deferral(now);
        if let Some(at) = throttle.next_cleanup(now) {
            timers.set(at, origin);
        }
        if throttle.health() == OriginHealth::Deferred {
            let (go, stay) = self.waiting.drain(..).partition::<VecDeque<_>, _>(T::may_go_back);
            self.waiting = stay;
            events.sent_back.extend(go);
        }
        events.states.extend(throttle.changed_state(origin));
    }

    /// Takes out the items that wait and are wanted.
    pub(crate) fn remove(&mut self, is_wanted: impl Fn(&T) -> bool, removed: &mut Vec<T>) {
        // Mostly it is in the queue of another origin.
        if !self.waiting.iter().any(&is_wanted) {
            return;
        }
        let (wanted, rest) = self.waiting.drain(..).partition::<VecDeque<_>, _>(is_wanted);
        self.waiting = rest;
        removed.extend(wanted);
    }

    /// Whether an idle origin need not be remembered. `crowded`: there are very many origins.
    pub(crate) fn is_forgettable(&self, crowded: bool, now: Instant) -> bool {
        self.throttle.as_ref().is_none_or(|throttle| crowded || throttle.is_stale(now))
    }

    pub(crate) fn lose_turn(&mut self) {
        self.is_queued = false;
        self.paced_until = None;
    }

    pub(crate) fn clear(&mut self) {
        self.waiting.clear();
        self.lose_turn();
    }
}
