use std::fmt;
use std::time::Duration;

use crate::egress::refusal::Refusal;
use crate::memory::body_meter::BodyMemory;
use crate::message::outcome::Content;
use crate::trace::Trace;
use crate::trace::phases::Phases;

/// Why a request has no reply.
///
/// Its [`Display`](fmt::Display) is the fixed sentence that users match on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    kind: FailureKind,
    detail: Option<Box<str>>,
    trace: Option<Box<Trace>>,
    partial: Option<Box<Partial>>,
}

/// What came of the body of the reply.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Partial {
    content: Content,
    memory: BodyMemory,
}

/// The kinds of failure, a sentence each.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum FailureKind {
    /// The deadline passed.
    Timeout {
        /// The timeout that the request was given.
        limit: Duration,
        /// Where the time went.
        phases: Phases,
    },
    /// The egress policy or a rule does not allow the request to go there.
    Forbidden,
    /// Refused or unreachable.
    Connect,
    /// The host's name has no address.
    Resolve,
    /// The proxy's name has no address.
    ResolveProxy,
    /// The proxy refuses to connect, or does not answer like a proxy.
    Proxy,
    /// The connection was closed before the first byte of a reply.
    NoReply,
    /// The reply is not HTTP, or has a header line without a colon.
    WeirdReply,
    /// The server's certificate is not accepted.
    Certificate,
    /// Our own certificate cannot be used.
    ClientCertificate,
    /// The server requires a certificate of ours, or refuses the one that it was shown.
    ClientCertificateRefused,
    /// The TLS handshake failed for another reason.
    TlsHandshake,
    /// More redirects than allowed.
    TooManyRedirects,
    /// A redirect leads to something that is not an http or https URL.
    BadRedirect,
    /// The reply ended before its declared length.
    Partial,
    /// The connection broke while the reply was read.
    Receive,
    /// The connection broke while the request was written.
    Send,
    /// The body is longer than the policy allows.
    TooLarge {
        /// The limit in bytes.
        limit: usize,
    },
    /// The request may have been sent, its outcome is not known, and it is not sent again.
    Abandoned,
    /// The deadline passed while the reply waited for memory.
    Memory {
        /// The limit in bytes.
        limit: usize,
    },
    /// The request itself is wrong; the text says what.
    Invalid(Box<str>),
    /// A fault of the engine, not of the request; the text says what.
    Internal(Box<str>),
}

impl Failure {
    /// A request that cannot be sent as it is; the text says why, without a secret in it.
    pub fn invalid(why: impl Into<Box<str>>) -> Self {
        Self::new(FailureKind::Invalid(why.into()))
    }

    /// A request that may be sent once only, whose attempt ended without an outcome.
    pub fn abandoned() -> Self {
        Self::new(FailureKind::Abandoned)
    }

    pub(crate) fn new(kind: FailureKind) -> Self {
        Self { kind, detail: None, trace: None, partial: None }
    }

    /// A proxy that does not connect to the host.
    pub(crate) fn proxy(detail: impl fmt::Display) -> Self {
        Self::new(FailureKind::Proxy).with_detail(detail)
    }

    /// The failure of a connection to a proxy.
    pub(crate) fn of_proxy(self) -> Self {
        let kind = match self.kind {
            FailureKind::Resolve => FailureKind::ResolveProxy,
            other => other,
        };
        let detail = self.detail.map_or_else(|| "the proxy".to_owned(), |detail| format!("the proxy: {detail}"));
        Self::new(kind).with_detail(detail)
    }

    /// Adds what a person needs to find the cause. Must not hold a secret: no URL, header value or body.
    pub(crate) fn with_detail(mut self, detail: impl fmt::Display) -> Self {
        self.detail = Some(detail.to_string().into());
        self
    }

    pub(crate) fn with_trace(mut self, trace: Trace) -> Self {
        self.trace = Some(Box::new(trace));
        self
    }

    pub(crate) fn with_partial(mut self, content: Content, memory: BodyMemory) -> Self {
        self.partial = Some(Box::new(Partial { content, memory }));
        self
    }

    /// What came of the reply's body, where [`Policy::keep_partial`](crate::Policy::keep_partial) says to keep it and something
    /// did.
    pub fn partial(&self) -> Option<&Content> {
        self.partial.as_ref().map(|partial| &partial.content)
    }

    /// What kind it is.
    pub fn kind(&self) -> &FailureKind {
        &self.kind
    }

    /// The cause in the words of the layer that met it, if there is more to say than the sentence.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// How the exchange went up to the failure, if it began.
    pub fn trace(&self) -> Option<&Trace> {
        self.trace.as_deref()
    }

    /// Whether the deadline passed.
    pub fn timed_out(&self) -> bool {
        matches!(self.kind, FailureKind::Timeout { .. })
    }
}

impl FailureKind {
    /// A name for programs, which never changes: lower case, words joined by `_`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Timeout { .. } => "timeout",
            Self::Forbidden => "egress_refused",
            Self::Connect => "connect",
            Self::Resolve => "resolve",
            Self::ResolveProxy => "resolve_proxy",
            Self::Proxy => "proxy",
            Self::NoReply => "no_reply",
            Self::WeirdReply => "weird_reply",
            Self::Certificate => "certificate",
            Self::ClientCertificate => "client_certificate",
            Self::ClientCertificateRefused => "client_certificate_refused",
            Self::TlsHandshake => "tls_handshake",
            Self::TooManyRedirects => "too_many_redirects",
            Self::BadRedirect => "bad_redirect",
            Self::Partial => "partial",
            Self::Receive => "receive",
            Self::Send => "send",
            Self::TooLarge { .. } => "too_large",
            Self::Abandoned => "abandoned",
            Self::Memory { .. } => "memory",
            Self::Invalid(_) => "invalid",
            Self::Internal(_) => "internal",
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind.fmt(f)
    }
}

impl std::error::Error for Failure {}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        Self::new(FailureKind::Forbidden).with_detail(refusal)
    }
}

impl fmt::Display for FailureKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Timeout { limit, phases } => write!(
                f,
                "Timeout of {} ms reached. Total time: {} ms (DNS time: {} ms, TCP/SSL handshake time: {} ms, \
                 HTTP Request/Response time: {} ms)",
                limit.as_millis(),
                Milliseconds(phases.total()),
                Milliseconds(phases.dns),
                Milliseconds(phases.handshake),
                Milliseconds(phases.exchange),
            ),
            Self::Forbidden => f.write_str("Refused by the egress policy"),
            Self::Connect => f.write_str("Couldn't connect to server"),
            Self::Resolve => f.write_str("Couldn't resolve host name"),
            Self::ResolveProxy => f.write_str("Couldn't resolve proxy name"),
            Self::Proxy => f.write_str("proxy handshake error"),
            Self::NoReply => f.write_str("Server returned nothing (no headers, no data)"),
            Self::WeirdReply => f.write_str("Weird server reply"),
            Self::Certificate => f.write_str("SSL peer certificate or SSH remote key was not OK"),
            Self::ClientCertificate => f.write_str("Problem with the local SSL certificate"),
            Self::ClientCertificateRefused => f.write_str("SSL Client Certificate required"),
            Self::TlsHandshake => f.write_str("SSL connect error"),
            Self::TooManyRedirects => f.write_str("Number of redirects hit maximum amount"),
            Self::BadRedirect => f.write_str("Redirect to an unsupported or malformed URL"),
            Self::Partial => f.write_str("Transferred a partial file"),
            Self::Receive => f.write_str("Failure when receiving data from the peer"),
            Self::Send => f.write_str("Failed sending data to the peer"),
            Self::TooLarge { limit } => write!(f, "Response is larger than {limit} bytes"),
            Self::Abandoned => f.write_str("Interrupted: it may have been sent, and is not sent again"),
            Self::Memory { limit } => write!(f, "Too little memory for the response: {limit} bytes for all"),
            Self::Invalid(why) => f.write_str(why),
            Self::Internal(why) => write!(f, "Internal error: {why}"),
        }
    }
}

/// Milliseconds with the microseconds as six decimals, the form that the sentence has always had.
struct Milliseconds(Duration);

impl fmt::Display for Milliseconds {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let micros = self.0.as_micros();
        write!(f, "{}.{:03}000", micros / 1000, micros % 1000)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_timeout_says_where_the_time_went() {
        let failure = Failure::new(FailureKind::Timeout {
            limit: Duration::from_millis(2000),
            phases: Phases {
                dns: Duration::from_micros(31),
                handshake: Duration::from_micros(101),
                exchange: Duration::from_micros(1_999_991),
            },
        });
        assert_eq!(
            failure.to_string(),
            "Timeout of 2000 ms reached. Total time: 2000.123000 ms (DNS time: 0.031000 ms, \
             TCP/SSL handshake time: 0.101000 ms, HTTP Request/Response time: 1999.991000 ms)"
        );
        assert!(failure.timed_out());
    }
}
