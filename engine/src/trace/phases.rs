use std::time::Duration;

/// How long each part of an exchange took, up to its end or its deadline. Redirects add up.
///
/// A phase that did not happen (no resolver was asked, a pooled connection was reused) is zero; one that happened is
/// above zero.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Phases {
    /// Resolving the host's name.
    pub dns: Duration,
    /// Connecting, and the TLS handshake.
    pub handshake: Duration,
    /// Everything after that: sending the request, waiting, and reading the reply.
    pub exchange: Duration,
}

impl Phases {
    /// The whole time: the sum of the three.
    pub fn total(&self) -> Duration {
        self.dns + self.handshake + self.exchange
    }
}
