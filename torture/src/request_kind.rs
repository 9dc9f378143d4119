use testkit::Call;

use crate::clock::Moment;
use crate::rng::Rng;

/// How a request is made, and is to be delivered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RequestKind {
    /// By `net.http_get`. At least once, as the next two.
    Get,
    /// By `net.http_post`.
    Post,
    /// With several attempts.
    Retried,
    /// At most once.
    AtMostOnce,
}

/// Attempts of [`RequestKind::Retried`].
pub(crate) const ATTEMPTS: usize = 5;

/// Longer than any fault holds an answer back, in milliseconds.
const TIMEOUT: u32 = 60_000;

impl RequestKind {
    /// One of them. The plain ones are the most.
    pub(crate) fn any(rng: &mut Rng) -> Self {
        rng.pick(&[Self::Get, Self::Post, Self::Post, Self::Retried, Self::AtMostOnce])
    }

    /// Whether it can be told to wait for a time.
    pub(crate) fn can_wait(self) -> bool {
        matches!(self, Self::Retried | Self::AtMostOnce)
    }

    /// The call that makes it.
    pub(crate) fn call(self, url: &str, not_before: Option<Moment>) -> Call {
        let call = match self {
            Self::Get => return Call::get(url).timeout(TIMEOUT),
            Self::Post => return Call::post(url).timeout(TIMEOUT),
            Self::Retried => Call::request("POST", url).max_attempts(ATTEMPTS as u32),
            Self::AtMostOnce => Call::request("POST", url).at_most_once(),
        };
        let call = call.with("body", "'{}'::jsonb").timeout(TIMEOUT);
        match not_before {
            Some(moment) => call.not_before(&format!("timestamptz 'epoch' + interval '{moment} microseconds'")),
            None => call,
        }
    }
}
