use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::dispatch::origin_health::OriginNews;
use crate::message::outcome::Outcome;

/// What the host and the engine's thread both see: the outcomes ready for the host, and how things stand.
pub(crate) struct Board {
    state: Mutex<State>,
    notify: Box<dyn Fn() + Send + Sync>,
}

struct State {
    outcomes: Vec<Outcome>,
    news: OriginNews,
    under_way: usize,
    /// Whether the host will drain without being told: it was notified since it last did, or comes by itself.
    is_coming: bool,
    closed: bool,
    alive: bool,
}

impl Board {
    pub(crate) fn new(notify: Box<dyn Fn() + Send + Sync>) -> Self {
        let state = State {
            outcomes: Vec::new(),
            news: OriginNews::default(),
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

    /// Counts requests as under way, unless the host has closed: then none may start.
    pub(crate) fn begin(&self, count: usize) -> bool {
        let mut state = self.state();
        if !state.closed {
            state.under_way += count;
        }
        !state.closed
    }

    /// Hands over the outcomes of requests that were under way, and what there is to say about origins.
    pub(crate) fn finish(&self, outcomes: &mut Vec<Outcome>, news: &mut OriginNews) {
        let mut state = self.state();
        state.under_way -= outcomes.len();
        state.outcomes.append(outcomes);
        state.news.states.append(&mut news.states);
        state.news.paces.append(&mut news.paces);
        state.news.sent_back.append(&mut news.sent_back);
        let is_coming = std::mem::replace(&mut state.is_coming, true);
        drop(state);
        if !is_coming {
            (self.notify)();
        }
    }

    /// With `again`, a host that takes something comes again by itself.
    pub(crate) fn drain(&self, into: &mut Vec<Outcome>, again: bool) {
        let mut state = self.state();
        state.is_coming = again && !state.outcomes.is_empty();
        into.append(&mut state.outcomes);
    }

    pub(crate) fn take_news(&self) -> OriginNews {
        std::mem::take(&mut self.state().news)
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

    /// The engine's thread ends. The host is told, so that it need not look now and then.
    pub(crate) fn bury(&self) {
        self.state().alive = false;
        (self.notify)();
    }
}
