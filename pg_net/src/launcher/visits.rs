use std::time::{Duration, Instant};

use super::visitor;
use crate::pg::process::dynamic::Process;
use crate::shmem::{self, LaunchRequests};
use pg_net_core::backoff::{Backoff, Obstacle};

/// For how long what a visitor found is taken for true.
const GOOD: Duration = Duration::from_secs(1);

/// The visitors, as the launcher sees them: one at a time.
pub(super) struct Visits {
    visitor: Option<Process>,
    /// How many visits had come to their end when it was started.
    before: u32,
    /// When the last one ended whose findings stand in shared memory.
    ended: Option<Instant>,
    /// Until the next one, after one that did not come to its end.
    backoff: Backoff,
    /// Whether one is to be started when that is over.
    is_wanted: bool,
}

impl Visits {
    pub(super) fn new() -> Self {
        Self { visitor: None, before: 0, ended: None, backoff: Backoff::default(), is_wanted: false }
    }

    pub(super) fn are_under_way(&self) -> bool {
        self.visitor.is_some()
    }

    /// Notices that a visitor has ended.
    pub(super) fn reap(&mut self, now: Instant) {
        if self.visitor.take_if(|process| process.has_ended()).is_some() {
            self.ended = Some(now);
            if shmem::get().launcher.visits() == self.before {
                self.backoff.fail(now, Obstacle::Failure);
            } else {
                self.backoff.succeed();
            }
        }
    }

    /// Forgets what was found too long ago: a visitor looks again.
    pub(super) fn forget_old(&mut self, now: Instant, requests: &LaunchRequests) {
        if self.visitor.is_none() && self.ended.is_some_and(|ended| now.saturating_duration_since(ended) > GOOD) {
            self.ended = None;
            requests.forget(None);
        }
    }

    /// Starts a visitor, if there is something to look at and none is under way. False if the server has no room for it.
    pub(super) fn start(&mut self, now: Instant, is_unseen: bool) -> bool {
        self.is_wanted = is_unseen && self.visitor.is_none() && !self.backoff.is_over(now);
        if !is_unseen || self.visitor.is_some() || self.is_wanted {
            return true;
        }
        self.before = shmem::get().launcher.visits();
        self.visitor = Process::start(visitor::builder());
        self.visitor.is_some()
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.backoff.deadline().filter(|_| self.is_wanted)
    }
}
