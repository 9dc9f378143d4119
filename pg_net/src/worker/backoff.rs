use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);

/// When something that failed may be tried again: after a wait that doubles with each failure in a row.
#[derive(Debug, Default)]
pub(super) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// Whether the wait is over, or there is none.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// When the wait is over, if there is one.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// It failed again.
    pub(super) fn fail(&mut self, now: Instant) {
        self.until = Some(now + FIRST.saturating_mul(1 << self.failures.min(16)).min(LONGEST));
        self.failures += 1;
    }

    /// It worked.
    pub(super) fn succeed(&mut self) {
        *self = Self::default();
    }
}
