//! What an outcome says about the origin that the request went to.

use crate::message::failure::FailureKind;
use crate::message::outcome::Outcome;

/// What the end of a request says about its origin.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OriginSignal {
    /// It accepts connections and answers.
    Reached,
    /// It accepts connections and has not answered in time.
    Late,
    /// It cannot be connected to. Holds the name of the failure.
    Unreachable(&'static str),
    /// Nothing about the origin.
    Nothing,
}

/// Whether the origin accepted a connection. How long it takes to answer, and what, does not matter.
///
/// | outcome | signal | because |
/// |---|---|---|
/// | a reply, or a failure after a redirect | reached | it answered |
/// | `no_reply`, `send`, `receive`, `partial`, `weird_reply`, … | reached | there was a connection |
/// | `certificate`, `client_certificate_refused` | reached | it answered, though not acceptably |
/// | `timeout` with a connection | late | how long it takes is between the request and it |
/// | `timeout` before there was one | unreachable | connecting, the TLS handshake and the proxy included, took all the time there was |
/// | `connect`, `tls_handshake`, `proxy` | unreachable | there was no connection |
/// | `resolve`, `resolve_proxy` | unreachable | the name has no address |
/// | `client_certificate`, `memory`, `egress_refused`, … | nothing | the cause is here |
pub(crate) fn of(outcome: &Outcome) -> OriginSignal {
    let Err(failure) = &outcome.result else { return OriginSignal::Reached };
    if failure.trace().is_some_and(|trace| trace.redirects > 0) {
        // It answered. What failed is the origin that it redirected to.
        return OriginSignal::Reached;
    }
    match failure.kind() {
        // The protocol is known once there is a connection that a request can be sent on.
        FailureKind::Timeout { .. } if failure.trace().is_some_and(|trace| trace.version.is_some()) => {
            OriginSignal::Late
        }
        FailureKind::Timeout { .. }
        | FailureKind::Connect
        | FailureKind::Resolve
        | FailureKind::ResolveProxy
        | FailureKind::Proxy
        | FailureKind::TlsHandshake => OriginSignal::Unreachable(failure.kind().name()),
        FailureKind::ClientCertificate
        | FailureKind::Memory { .. }
        | FailureKind::Forbidden
        | FailureKind::Abandoned
        | FailureKind::Invalid(_)
        | FailureKind::Internal(_) => OriginSignal::Nothing,
        FailureKind::NoReply
        | FailureKind::WeirdReply
        | FailureKind::Certificate
        | FailureKind::ClientCertificateRefused
        | FailureKind::TooManyRedirects
        | FailureKind::BadRedirect
        | FailureKind::Partial
        | FailureKind::Receive
        | FailureKind::Send
        | FailureKind::TooLarge { .. } => OriginSignal::Reached,
    }
}
