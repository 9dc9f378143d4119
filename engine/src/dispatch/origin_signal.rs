//! What an outcome says about the origin that the request went to.

use crate::message::failure::FailureKind;
use crate::message::outcome::Outcome;

/// What the end of an item says about its origin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Reading {
    /// It can be connected to, and answers.
    Reached,
    /// It can be connected to, and has not answered in time.
    Late,
    /// It cannot; this is the name of the failure.
    Missed(&'static str),
    /// Nothing.
    Nothing,
}

/// Whether the origin was there to be connected to. How long it takes to answer, and what, is no matter.
///
/// | outcome | reading | because |
/// |---|---|---|
/// | a reply, or a failure after a redirect | reached | it answered |
/// | `no_reply`, `send`, `receive`, `partial`, `weird_reply`, … | reached | there was a connection |
/// | `certificate`, `client_certificate_refused` | reached | it answered, though not as we want it |
/// | `timeout` with a connection | late | how long it takes is between the request and it |
/// | `timeout` before there was one | missed | connecting, the TLS handshake and the proxy included, took all the time there was |
/// | `connect`, `tls_handshake`, `proxy` | missed | no connection came about |
/// | `resolve`, `resolve_proxy` | missed | the name leads nowhere |
/// | `client_certificate`, `memory`, `egress_refused`, … | nothing | it lies with us |
pub(crate) fn of(outcome: &Outcome) -> Reading {
    let Err(failure) = &outcome.result else { return Reading::Reached };
    if failure.trace().is_some_and(|trace| trace.redirects > 0) {
        // It answered; who failed is the one that it led to.
        return Reading::Reached;
    }
    match failure.kind() {
        // The protocol is known once there is a connection that a request can be sent on.
        FailureKind::Timeout { .. } if failure.trace().is_some_and(|trace| trace.version.is_some()) => Reading::Late,
        FailureKind::Timeout { .. }
        | FailureKind::Connect
        | FailureKind::Resolve
        | FailureKind::ResolveProxy
        | FailureKind::Proxy
        | FailureKind::TlsHandshake => Reading::Missed(failure.kind().name()),
        FailureKind::ClientCertificate
        | FailureKind::Memory { .. }
        | FailureKind::Forbidden
        | FailureKind::Abandoned
        | FailureKind::Invalid(_)
        | FailureKind::Internal(_) => Reading::Nothing,
        FailureKind::NoReply
        | FailureKind::WeirdReply
        | FailureKind::Certificate
        | FailureKind::ClientCertificateRefused
        | FailureKind::TooManyRedirects
        | FailureKind::BadRedirect
        | FailureKind::Partial
        | FailureKind::Receive
        | FailureKind::Send
        | FailureKind::TooLarge { .. } => Reading::Reached,
    }
}
