use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dispatch::origin_health::OriginEvents;
use crate::message::outcome::Outcome;

/// What the engine's thread leaves for the host: outcomes, events, and the state of the engine.
pub(crate) struct OutcomeMailbox {
    state: Mutex<State>,
    notify: Box<dyn Fn() + Send + Sync>,
}

struct State {
    outcomes: Vec<Outcome>,
    events: OriginEvents,
    under_way: usize,
    /// Whether the host will drain without another notification: it was notified since it last did, or comes by
    /// itself.
    is_coming: bool,
    closed: bool,
    alive: bool,
}

impl OutcomeMailbox {
    pub(crate) fn new(notify: Box<dyn Fn() + Send + Sync>) -> Self {
        let state = State {
            outcomes: Vec::new(),
            events: OriginEvents::default(),
            under_way: 0,
            is_coming: false,
            closed: false,
            alive: true,
        };
        Self { state: Mutex::new(state), notify }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step under the lock leaves the state half changed, so that a panic in one cannot either.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts requests as under way. False if the host has closed the engine: then none may start.
    pub(crate) fn begin(&self, count: usize) -> bool {
        let mut state = self.state();
        if !state.closed {
            state.under_way += count;
        }
        !state.closed
    }

    /// Hands over the outcomes of requests that were under way, and what there is to report about origins.
    pub(crate) fn finish(&self, outcomes: &mut Vec<Outcome>, events: &mut OriginEvents) {
        let mut state = self.state();
        state.under_way -= outcomes.len();
        state.outcomes.append(outcomes);
        state.events.states.append(&mut events.states);
        state.events.responsiveness.append(&mut events.responsiveness);
        state.events.sent_back.append(&mut events.sent_back);
        let is_coming = std::mem::replace(&mut state.is_coming, true);
        drop(state);
        if !is_coming {
            (self.notify)();
        }
    }

    /// Takes the outcomes. With `again`, a host that gets some comes again by itself.
    pub(crate) fn drain(&self, into: &mut Vec<Outcome>, again: bool) {
        let mut state = self.state();
        state.is_coming = again && !state.outcomes.is_empty();
        into.append(&mut state.outcomes);
    }

    pub(crate) fn take_events(&self) -> OriginEvents {
        std::mem::take(&mut self.state().events)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.state().under_way
    }

    pub(crate) fn close(&self) {
        self.state().closed = true;
    }

    pub(crate) fn is_alive(&self) -> bool {
        self.state().alive
    }

    /// The engine's thread ends. The host is notified, so that it need not check for that.
    pub(crate) fn mark_dead(&self) {
        self.state().alive = false;
        (self.notify)();
    }
}
