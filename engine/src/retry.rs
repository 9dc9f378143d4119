//! Which outcomes are tried again, and when.

pub(crate) mod jitter;
pub(crate) mod retry_after;

use std::time::{Duration, SystemTime};

use crate::message::failure::FailureKind;
use crate::message::outcome::Outcome;
use crate::retry::jitter::Jitter;

/// The schedule of the attempts at one request: exponential backoff with full jitter.
///
/// After its n-th attempt a request waits for a time drawn evenly from 0 to `base`·2ⁿ⁻¹, at most `cap`. If the reply
/// has a `Retry-After`, the drawn time comes on top of it, so that requests which were told the same moment do not
/// all come back at once.
///
/// ```
/// use std::time::{Duration, SystemTime};
///
/// use engine::{Failure, Jitter, Outcome, RetryPolicy};
///
/// let policy = RetryPolicy::default();
/// let mut jitter = Jitter::new();
/// let invalid = Outcome { key: 1, result: Err(Failure::invalid("no URL")), elapsed: Duration::ZERO };
/// assert!(!RetryPolicy::is_retryable(&invalid));
/// assert_eq!(policy.next_attempt(&invalid, 1, 5, SystemTime::now(), &mut jitter), None);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// The longest wait after the first attempt.
    pub base: Duration,
    /// The longest wait after any attempt, `Retry-After` aside.
    pub cap: Duration,
    /// The most of a `Retry-After` that is obeyed. It holds back what has attempts left, nothing else.
    pub retry_after_max: Duration,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            base: Duration::from_secs(1),
            cap: Duration::from_secs(10 * 60),
            retry_after_max: Duration::from_secs(60 * 60),
        }
    }
}

impl RetryPolicy {
    /// How long after the end of an attempt the next one is due; none if the outcome is final: it was a good one,
    /// another attempt could end no better, or there is no attempt left.
    ///
    /// `attempts` counts those that were made, including the one with this outcome. `now` is the time of day, for a
    /// `Retry-After` that is a date.
    pub fn next_attempt(
        &self,
        outcome: &Outcome,
        attempts: u32,
        max_attempts: u32,
        now: SystemTime,
        jitter: &mut Jitter,
    ) -> Option<Duration> {
        if attempts >= max_attempts || !Self::is_retryable(outcome) {
            return None;
        }
        let asked = outcome.result.as_ref().ok().and_then(|response| retry_after::asked(&response.headers, now));
        let floor = asked.unwrap_or_default().min(self.retry_after_max);
        Some(floor + jitter.up_to(self.longest_wait(attempts)))
    }

    /// The most that is drawn after so many attempts.
    pub fn longest_wait(&self, attempts: u32) -> Duration {
        let doublings = attempts.saturating_sub(1);
        let factor = 1u32.checked_shl(doublings).unwrap_or(u32::MAX);
        self.base.saturating_mul(factor).min(self.cap)
    }

    /// Whether the outcome is one that another attempt could better.
    ///
    /// | outcome | again | because |
    /// |---|---|---|
    /// | a reply with 408, 425, 429, 500, 502, 503 or 504 | yes | the server says so, or is in trouble |
    /// | any other reply | no | it is the answer |
    /// | `timeout`, `connect`, `no_reply`, `send`, `receive`, `partial` | yes | the other end is down, overloaded or restarting |
    /// | `resolve`, `resolve_proxy` | yes | a failing name server looks like a name that does not exist |
    /// | `proxy` | yes | a proxy that cannot reach the server says so this way |
    /// | `tls_handshake` | yes | a connection that is closed amid the handshake is one of these |
    /// | `memory` | yes | other replies took it |
    /// | `certificate`, `client_certificate`, `client_certificate_refused` | no | an administrator has to put it right |
    /// | `egress_refused` | no | the policy does not change by itself |
    /// | `weird_reply`, `too_large` | no | the request was processed; the reply would be no other |
    /// | `too_many_redirects`, `bad_redirect` | no | the same |
    /// | `invalid`, `internal`, `abandoned` | no | the cause is here |
    pub fn is_retryable(outcome: &Outcome) -> bool {
        match &outcome.result {
            Ok(response) => matches!(response.status, 408 | 425 | 429 | 500 | 502 | 503 | 504),
            Err(failure) => is_retryable_failure(failure.kind()),
        }
    }
}

fn is_retryable_failure(kind: &FailureKind) -> bool {
    match kind {
        FailureKind::Timeout { .. }
        | FailureKind::Connect
        | FailureKind::Resolve
        | FailureKind::ResolveProxy
        | FailureKind::Proxy
        | FailureKind::NoReply
        | FailureKind::TlsHandshake
        | FailureKind::Partial
        | FailureKind::Receive
        | FailureKind::Send
        | FailureKind::Memory { .. } => true,
        FailureKind::Forbidden
        | FailureKind::WeirdReply
        | FailureKind::Certificate
        | FailureKind::ClientCertificate
        | FailureKind::ClientCertificateRefused
        | FailureKind::TooManyRedirects
        | FailureKind::BadRedirect
        | FailureKind::TooLarge { .. }
        | FailureKind::Invalid(_)
        | FailureKind::Abandoned
        | FailureKind::Internal(_) => false,
    }
}

#[cfg(test)]
mod tests;
