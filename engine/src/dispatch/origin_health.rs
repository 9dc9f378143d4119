use std::time::Instant;

use crate::address::origin::Origin;
use crate::message::key::Key;

/// What may be sent to an origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// What the limits allow; a little less for a while after it was otherwise.
    Healthy,
    /// Less than that, since connecting to it keeps failing.
    Probing,
    /// Nothing that has attempts left before a moment that it named itself, and all else as if it had not.
    Deferred,
}

/// How fast the requests to an origin are likely to be done with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As fast as it answers.
    Answering,
    /// When their time is up: it can be connected to, and has not answered yet, or not any more.
    Silent,
    /// When their time is up: the look-up of its name hangs.
    Hanging,
    /// Nobody knows: the look-up hung, and does so no more.
    Unknown,
}

/// What an [`Engine`](crate::Engine) has to say about origins.
#[derive(Debug, Default)]
pub struct OriginNews {
    /// How origins are doing since something about them changed, oldest first.
    pub states: Vec<OriginState>,
    /// What has become of origins with more than a few requests that can be connected to, and of those whose names hang, oldest
    /// first.
    pub paces: Vec<(Origin, Pace)>,
    /// Requests with attempts left to origins that are deferred, handed back unsent.
    pub sent_back: Vec<Key>,
}

impl OriginNews {
    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.states.is_empty() && self.paces.is_empty() && self.sent_back.is_empty()
    }
}

/// How an origin is doing, where there is something to say about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OriginState {
    /// Who it is about.
    pub origin: Origin,
    /// What may be sent to it.
    pub standing: Standing,
    /// Failures to connect, in a row.
    pub failures: u32,
    /// The name of the last such failure's [kind](crate::FailureKind::name).
    pub last_failure: Option<&'static str>,
    /// When the first of them came.
    pub failing_since: Option<Instant>,
    /// When it may be sent to again, if it is deferred.
    pub held_until: Option<Instant>,
}

impl OriginState {
    pub(crate) fn well(origin: &Origin) -> Self {
        Self {
            origin: origin.clone(),
            standing: Standing::Healthy,
            failures: 0,
            last_failure: None,
            failing_since: None,
            held_until: None,
        }
    }

    /// Whether there is nothing to say any more.
    pub fn is_well(&self) -> bool {
        self.standing == Standing::Healthy && self.failures == 0
    }
}
