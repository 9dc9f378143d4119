//! The pause after a failure.

use std::time::{Duration, Instant};

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(60);
/// The longest pause after another process was in the way. It may finish at any moment without telling us, and requests pile up
/// meanwhile.
const LONGEST_IN_THE_WAY: Duration = Duration::from_secs(5);

/// Why something failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Obstacle {
    /// Another process was in the way, for example with a lock.
    InTheWay,
    /// Anything else.
    Failure,
}

/// When something that failed may be tried again: after a pause that doubles with each failure in a row.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
    until: Option<Instant>,
}

impl Backoff {
    /// Whether the pause is over, or there is none.
    pub fn is_over(&self, now: Instant) -> bool {
        self.until.is_none_or(|until| until <= now)
    }

    /// When the pause is over, if there is one.
    pub fn deadline(&self) -> Option<Instant> {
        self.until
    }

    /// It failed again.
    pub fn fail(&mut self, now: Instant, obstacle: Obstacle) {
        let longest = match obstacle {
            Obstacle::InTheWay => LONGEST_IN_THE_WAY,
            Obstacle::Failure => LONGEST,
        };
        self.until = Some(now + FIRST.saturating_mul(1 << self.failures.min(16)).min(longest));
        self.failures += 1;
    }

    /// It worked.
    pub fn succeed(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pauses(obstacle: Obstacle, count: usize) -> Vec<u128> {
        let (now, mut backoff) = (Instant::now(), Backoff::default());
        let mut pause = || {
            backoff.fail(now, obstacle);
            (backoff.deadline().expect("a pause") - now).as_millis()
        };
        (0..count).map(|_| pause()).collect()
    }

    #[test]
    fn a_pause_doubles_up_to_its_longest() {
        let failure = pauses(Obstacle::Failure, 12);
        assert_eq!(failure[..5], [100, 200, 400, 800, 1600]);
        assert_eq!(failure[9..], [51_200, 60_000, 60_000]);
        assert_eq!(pauses(Obstacle::InTheWay, 8)[4..], [1600, 3200, 5000, 5000]);
    }

    #[test]
    fn a_thousand_failures_overflow_nothing() {
        assert_eq!(pauses(Obstacle::Failure, 1000).last(), Some(&60_000));
    }

    #[test]
    fn a_success_ends_the_pause_and_starts_the_count_over() {
        let (now, mut backoff) = (Instant::now(), Backoff::default());
        backoff.fail(now, Obstacle::Failure);
        backoff.fail(now, Obstacle::Failure);
        assert!(!backoff.is_over(now + Duration::from_millis(199)));
        assert!(backoff.is_over(now + Duration::from_millis(200)));
        backoff.succeed();
        assert!(backoff.is_over(now));
        backoff.fail(now, Obstacle::Failure);
        assert_eq!(backoff.deadline(), Some(now + Duration::from_millis(100)));
    }
}
