//! Seeing to it that another process that has ended comes back in time.

use std::time::{Duration, Instant};

use super::server;

/// After how long the postmaster starts a process again.
pub(crate) const RESTART: Duration = Duration::from_secs(1);

/// Wakes the postmaster when a process is to be started again, which it may oversleep (see [`server::nudge_postmaster`]), until it
/// is there.
#[derive(Debug, Default)]
pub(crate) struct Revival {
    next: Option<Instant>,
}

impl Revival {
    /// Looks after the process, which is missing or not.
    pub(crate) fn watch(&mut self, now: Instant, is_missing: bool) {
        self.next = is_missing.then(|| match self.next {
            Some(next) if next > now => next,
            Some(_) => {
                server::nudge_postmaster();
                now + RESTART
            }
            None => now + RESTART,
        });
    }

    /// When to look again, if the process is missing.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.next
    }
}
