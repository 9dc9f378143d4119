//! What an outcome means for its request.

use crate::Timestamp;

/// What becomes of a request that has an outcome.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is done: the outcome is stored as its response.
    Done,
    /// It is tried again at this time.
    Retry(Timestamp),
    /// It was to be tried again, and has no attempts left.
    DeadLetter,
}

/// The attempts of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Attempts {
    /// Those made, the last one included.
    pub made: u32,
    /// The most that it may have.
    pub most: u32,
    /// Whether the row has left the queue: it cannot go back.
    pub has_left: bool,
}

/// What becomes of a request. `next` gives the time of the next attempt, if there is one to come; it is asked only where
/// another attempt could end better.
pub fn disposition(
    attempts: Attempts,
    is_retryable: impl FnOnce() -> bool,
    next: impl FnOnce(Attempts) -> Option<Timestamp>,
) -> Disposition {
    if attempts.most <= 1 || attempts.has_left || !is_retryable() {
        return Disposition::Done;
    }
    next(attempts).map_or(Disposition::DeadLetter, Disposition::Retry)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEXT: Timestamp = 3_000_000;

    fn of(made: u32, most: u32, has_left: bool, is_retryable: bool) -> Disposition {
        let next = |attempts: Attempts| (attempts.made < attempts.most).then_some(NEXT);
        disposition(Attempts { made, most, has_left }, || is_retryable, next)
    }

    #[test]
    fn a_request_with_one_attempt_is_done() {
        assert_eq!(of(1, 1, false, true), Disposition::Done);
    }

    #[test]
    fn what_another_attempt_cannot_better_is_done() {
        assert_eq!(of(1, 5, false, false), Disposition::Done);
    }

    #[test]
    fn what_has_left_the_queue_does_not_go_back() {
        assert_eq!(of(1, 5, true, true), Disposition::Done);
    }

    #[test]
    fn with_attempts_left_it_is_tried_again() {
        assert_eq!(of(4, 5, false, true), Disposition::Retry(NEXT));
    }

    #[test]
    fn the_last_attempt_leads_to_the_dead_letter() {
        assert_eq!(of(5, 5, false, true), Disposition::DeadLetter);
    }
}
