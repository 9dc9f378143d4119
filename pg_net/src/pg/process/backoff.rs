use std::time::{Duration, Instant};

use pgrx::PgSqlErrorCode;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
/// The same where somebody else is in the way: that may be over any moment, nobody tells, and meanwhile much may come to wait.
const LONGEST_IN_THE_WAY: Duration = Duration::from_secs(5);

/// When something that failed may be tried again: after a wait that doubles with each failure in a row.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// Whether the wait is over, or there is none.
    pub(crate) fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// When the wait is over, if there is one.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// It failed again, for this reason.
    pub(crate) fn fail_of(&mut self, now: Instant, reason: PgSqlErrorCode) {
        self.wait(now, if is_in_the_way(reason) { LONGEST_IN_THE_WAY } else { LONGEST });
    }

    /// It failed again.
    pub(crate) fn fail(&mut self, now: Instant) {
        self.wait(now, LONGEST);
    }

    /// It failed again: somebody else is in the way.
    pub(crate) fn fail_in_the_way(&mut self, now: Instant) {
        self.wait(now, LONGEST_IN_THE_WAY);
    }

    fn wait(&mut self, now: Instant, longest: Duration) {
        self.until = Some(now + FIRST.saturating_mul(1 << self.failures.min(16)).min(longest));
        self.failures += 1;
    }

    /// It worked.
    pub(crate) fn succeed(&mut self) {
        *self = Self::default();
    }
}

/// Whether an error says that somebody else was in the way, and nothing of what was to be done.
pub(crate) fn is_in_the_way(reason: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    matches!(reason, ERRCODE_LOCK_NOT_AVAILABLE | ERRCODE_T_R_DEADLOCK_DETECTED | ERRCODE_QUERY_CANCELED)
}
