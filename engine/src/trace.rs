pub(crate) mod phases;
pub(crate) mod progress;

use std::fmt;
use std::net::SocketAddr;

use crate::address::target::Target;
use crate::trace::phases::Phases;

/// How the exchange of a request went, whether it ended well or not.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Trace {
    /// Where the time went. Their sum is the elapsed time.
    pub phases: Phases,
    /// Redirects that were followed.
    pub redirects: u32,
    /// The other end of the last hop's connection, new or reused; none if that hop did not get that far.
    pub remote: Option<SocketAddr>,
    /// What was spoken on it: `HTTP/1.1` or `HTTP/2`.
    pub version: Option<&'static str>,
    pub(crate) target: Target,
}

impl Trace {
    /// Where the last hop went, without user name, password and fragment. The query, which may hold a secret, is in it.
    pub fn url(&self) -> String {
        self.target.without_user_info().into_owned()
    }
}

impl fmt::Debug for Trace {
    /// Leaves out what could be a secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trace")
            .field("phases", &self.phases)
            .field("redirects", &self.redirects)
            .field("remote", &self.remote)
            .field("version", &self.version)
            .field("origin", self.target.origin())
            .finish()
    }
}
