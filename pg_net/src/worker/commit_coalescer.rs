use std::time::{Duration, Instant};

use crate::shmem::Slot;

/// How long commits gather where they come in quick succession: to read the queue for one costs nearly as much as for many.
const GATHER: Duration = Duration::from_millis(1);
/// Two commits that come within this are in quick succession.
const QUICK: Duration = Duration::from_micros(500);

/// When the queue is read for commits.
pub(super) struct Commits {
    looked_at: Instant,
    gather: bool,
}

impl Commits {
    pub(super) fn new() -> Self {
        Self { looked_at: Instant::now(), gather: false }
    }

    /// Whether commits have asked for the queue to be read, and it is to be read now.
    pub(super) fn have_come(&mut self, now: Instant, slot: &Slot) -> bool {
        if self.until(now).is_some() {
            return false;
        }
        let mine = u32::from(self.gather);
        let commits = slot.take_work().saturating_sub(mine);
        self.gather = commits > 1 || (commits > 0 && now.saturating_duration_since(self.looked_at) < QUICK);
        if commits > 0 {
            self.looked_at = now;
        }
        if self.gather {
            // Those that come until then need not wake anybody.
            slot.come_again();
        }
        commits > 0
    }

    /// Until when commits are left to gather, if they are.
    pub(super) fn until(&self, now: Instant) -> Option<Instant> {
        let until = self.looked_at + GATHER;
        (self.gather && now < until).then_some(until)
    }
}
