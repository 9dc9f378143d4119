use std::time::Instant;

use crate::address::origin::Origin;
use crate::message::key::Key;

/// What may be sent to an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OriginHealth {
    /// As much as the limits allow; for a while after another state, a little less.
    Healthy,
    /// A few attempts at a time, because connecting keeps failing.
    Probing,
    /// Nothing that has attempts left, until a moment that the origin named. All else as before.
    Deferred,
}

/// How soon the requests to an origin are likely to end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Responsiveness {
    /// When it answers, which it does.
    Answering,
    /// When they time out: it accepts connections and has not answered yet, or no longer does.
    Silent,
    /// When they time out: the look-up of its name hangs.
    Hanging,
    /// It is not known. The look-up of its name hung and no longer does.
    Unknown,
}

/// What an [`Engine`](crate::Engine) reports about origins.
#[derive(Debug, Default)]
pub struct OriginEvents {
    /// The state of each origin that has changed, oldest first.
    pub states: Vec<OriginState>,
    /// Changes of origins that more than a few requests go to, and of those whose names hang, oldest first.
    pub responsiveness: Vec<(Origin, Responsiveness)>,
    /// Requests with attempts left that come back unsent, because their origin is deferred.
    pub sent_back: Vec<Key>,
}

impl OriginEvents {
    /// Whether there is nothing to report.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.responsiveness.is_empty() && self.sent_back.is_empty()
    }
}

/// The state of an origin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginState {
    /// The origin.
    pub origin: Origin,
    /// What may be sent to it.
    pub health: OriginHealth,
    /// Failures to connect in a row.
    pub failures: u32,
    /// The name of the last failure's [kind](crate::FailureKind::name).
    pub last_failure: Option<&'static str>,
    /// When the first of them happened.
    pub failing_since: Option<Instant>,
    /// When it may be sent to again, if it is deferred.
    pub deferred_until: Option<Instant>,
}

impl OriginState {
    pub(crate) fn healthy(origin: &Origin) -> Self {
        Self {
            origin: origin.clone(),
            health: OriginHealth::Healthy,
            failures: 0,
            last_failure: None,
            failing_since: None,
            deferred_until: None,
        }
    }

    /// Whether it is healthy and connecting did not fail last.
    pub fn is_healthy(&self) -> bool {
        self.health == OriginHealth::Healthy && self.failures == 0
    }
}
