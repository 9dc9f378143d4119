//! What an outcome says about the origin that the request went to.

use crate::failure::FailureKind;
use crate::fair_queue::Reading;
use crate::outcome::Outcome;

/// A time-out counts against the origin whatever it had done by then: it kept one of our slots for as long as it could.
pub(crate) fn of(outcome: &Outcome) -> Reading<'_> {
    let Err(failure) = &outcome.result else { return Reading::Reached };
    if failure.trace().is_some_and(|trace| trace.redirects > 0) {
        // It answered; who failed is the one that it led to.
        return Reading::Reached;
    }
    match failure.kind() {
        FailureKind::Timeout { .. }
        | FailureKind::Connect
        | FailureKind::Resolve
        | FailureKind::ResolveProxy
        | FailureKind::Proxy
        | FailureKind::TlsHandshake => Reading::Missed(failure),
        FailureKind::ClientCertificate
        | FailureKind::Memory { .. }
        | FailureKind::Probe(_)
        | FailureKind::Forbidden
        | FailureKind::Abandoned
        | FailureKind::Invalid(_)
        | FailureKind::Internal(_) => Reading::Nothing,
        FailureKind::NoReply
        | FailureKind::WeirdReply
        | FailureKind::Certificate
        | FailureKind::TooManyRedirects
        | FailureKind::BadRedirect
        | FailureKind::Partial
        | FailureKind::ContentEncoding
        | FailureKind::Receive
        | FailureKind::Send
        | FailureKind::TooLarge { .. } => Reading::Reached,
    }
}
