//! Outcomes that are not urgent, and are handed over together with others.
//!
//! To record an outcome by itself costs ten times as much as beside another one, and delays the outcomes that others
//! wait for. An outcome that tells nothing new about its origin therefore waits for the next urgent ones. If none
//! come, several are handed over together after a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::message::outcome::Outcome;

/// How long an outcome waits for others at most.
const EXPECTED_WAIT: Duration = Duration::from_millis(100);
/// The same for a time-out without a connection that was not expected. Its caller has waited for the whole timeout
/// and does not notice this.
const LATE_WAIT: Duration = Duration::from_millis(50);
/// How many waiting outcomes go along with each that does not wait.
const PER_URGENT_OUTCOME: usize = 2;
/// How many are released at once where no other outcome comes, and the pause before the next. Of more than a hundred,
/// it is a fraction.
const SMALLEST_BATCH: usize = 6;
const BATCH_FRACTION: usize = 16;
const BATCH_INTERVAL: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(crate) struct OutcomeBatcher {
    expected: Waiting,
    late: Waiting,
    next_batch_at: Option<Instant>,
}

/// Outcomes and how long each waits, in this order.
type Waiting = VecDeque<(Instant, Outcome)>;

impl OutcomeBatcher {
    /// Keeps an outcome that was to be expected.
    pub(crate) fn add_expected(&mut self, outcome: Outcome, now: Instant) {
        self.expected.push_back((now + EXPECTED_WAIT, outcome));
    }

    /// Keeps a time-out.
    pub(crate) fn add_late(&mut self, outcome: Outcome, now: Instant) {
        self.late.push_back((now + LATE_WAIT, outcome));
    }

    /// When some have waited long enough.
    pub(crate) fn next_release(&self) -> Option<Instant> {
        let due = [&self.expected, &self.late]
            .into_iter()
            .filter_map(|waiting| waiting.front())
            .map(|(due, _)| *due)
            .min()?;
        Some(self.next_batch_at.map_or(due, |until| until.max(due)))
    }

    /// Adds to `outcomes` those that go along with them, and those that have waited long enough.
    pub(crate) fn release_into(&mut self, outcomes: &mut Vec<Outcome>, now: Instant) {
        let along = outcomes.len() * PER_URGENT_OUTCOME;
        let is_due = self.next_release().is_some_and(|at| at <= now);
        let batch =
            if is_due { SMALLEST_BATCH.max((self.expected.len() + self.late.len()) / BATCH_FRACTION) } else { 0 };
        let before = outcomes.len();
        for waiting in [&mut self.late, &mut self.expected] {
            let most = along.max(batch) - (outcomes.len() - before);
            let some = waiting.len().min(most);
            outcomes.extend(waiting.drain(..some).map(|(_, outcome)| outcome));
        }
        if is_due {
            self.next_batch_at = Some(now + BATCH_INTERVAL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::failure::Failure;
    use crate::message::key::Key;

    fn outcome(key: Key) -> Outcome {
        Outcome { key, result: Err(Failure::abandoned()), elapsed: Duration::ZERO }
    }

    /// The keys that are released at a moment together with so many urgent outcomes.
    fn released(batcher: &mut OutcomeBatcher, urgent: usize, now: Instant) -> Vec<Key> {
        let mut outcomes: Vec<_> = (0..urgent).map(|_| outcome(0)).collect();
        batcher.release_into(&mut outcomes, now);
        outcomes.drain(..urgent);
        outcomes.into_iter().map(|outcome| outcome.key).collect()
    }

    #[test]
    fn two_go_along_with_each_and_the_oldest_first() {
        let (mut batcher, now) = (OutcomeBatcher::default(), Instant::now());
        (1..=6).for_each(|key| batcher.add_expected(outcome(key), now));
        assert_eq!(released(&mut batcher, 0, now), [] as [Key; 0]);
        assert_eq!(released(&mut batcher, 1, now), [1, 2]);
        batcher.add_late(outcome(7), now);
        assert_eq!(released(&mut batcher, 1, now), [7, 3]);
        assert_eq!(released(&mut batcher, 2, now), [4, 5, 6]);
        assert_eq!(batcher.next_release(), None);
    }

    #[test]
    fn without_urgent_ones_they_go_after_a_while() {
        let (mut batcher, now) = (OutcomeBatcher::default(), Instant::now());
        batcher.add_expected(outcome(1), now);
        assert_eq!(batcher.next_release(), Some(now + EXPECTED_WAIT));
        batcher.add_late(outcome(2), now);
        assert_eq!(batcher.next_release(), Some(now + LATE_WAIT));
        assert_eq!(released(&mut batcher, 0, now + LATE_WAIT), [2, 1]);
    }

    #[test]
    fn however_many_there_are_they_go_in_batches_and_soon() {
        let (mut batcher, mut now) = (OutcomeBatcher::default(), Instant::now());
        let many: Key = 5000;
        (0..many).for_each(|key| batcher.add_expected(outcome(key), now));
        let (start, mut gone) = (now, Vec::new());
        while let Some(next) = batcher.next_release() {
            now = now.max(next);
            let left = many as usize - gone.len();
            let batch = released(&mut batcher, 0, now);
            assert!(batch.len() <= SMALLEST_BATCH.max(left / BATCH_FRACTION), "{} of {left}", batch.len());
            assert_eq!(released(&mut batcher, 0, now), [] as [Key; 0], "there is a pause between two");
            gone.extend(batch);
        }
        assert_eq!(gone, (0..many).collect::<Vec<_>>());
        assert!(now - start < EXPECTED_WAIT + Duration::from_secs(1), "{:?}", now - start);
    }
}
