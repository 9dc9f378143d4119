//! Outcomes that nobody is in a hurry for, and what each of them goes along with.
//!
//! To record an outcome by itself costs ten times what it costs beside another, and while the host does it, what others wait for
//! has to wait. So those that tell nothing new go along with others; where there are none, together after a while.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::message::outcome::Outcome;

/// How long an outcome waits for others to go along with.
const WAIT: Duration = Duration::from_millis(250);
/// The same of requests that took all their time and did not even connect, though nobody knew that before. Who waited that long
/// does not mind.
const SHORT_WAIT: Duration = Duration::from_millis(50);
/// How many go along with each that somebody is in a hurry for.
const ALONG: usize = 2;
/// How many go without company at once, and how long after them the next. Where more than a hundred wait, it is a part of them.
const LOT: usize = 6;
const PART: usize = 16;
const REST: Duration = Duration::from_millis(10);

#[derive(Debug, Default)]
pub(crate) struct Company {
    expected: Line,
    late: Line,
    rests_until: Option<Instant>,
}

/// Outcomes and until when each waits, in this order.
type Line = VecDeque<(Instant, Outcome)>;

impl Company {
    /// One that tells nothing new.
    pub(crate) fn expect(&mut self, outcome: Outcome, now: Instant) {
        self.expected.push_back((now + WAIT, outcome));
    }

    /// One that took all its time.
    pub(crate) fn delay(&mut self, outcome: Outcome, now: Instant) {
        self.late.push_back((now + SHORT_WAIT, outcome));
    }

    /// When some have waited long enough.
    pub(crate) fn next(&self) -> Option<Instant> {
        let due =
            [&self.expected, &self.late].into_iter().filter_map(|line| line.front()).map(|(due, _)| *due).min()?;
        Some(self.rests_until.map_or(due, |until| until.max(due)))
    }

    /// Adds those to `outcomes` that go along with these, and those that have waited long enough.
    pub(crate) fn join(&mut self, outcomes: &mut Vec<Outcome>, now: Instant) {
        let along = outcomes.len() * ALONG;
        let is_due = self.next().is_some_and(|at| at <= now);
        let lot = if is_due { LOT.max((self.expected.len() + self.late.len()) / PART) } else { 0 };
        let before = outcomes.len();
        for line in [&mut self.late, &mut self.expected] {
            let most = along.max(lot) - (outcomes.len() - before);
            let some = line.len().min(most);
            outcomes.extend(line.drain(..some).map(|(_, outcome)| outcome));
        }
        if is_due {
            self.rests_until = Some(now + REST);
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

    /// Who goes at a moment, with so many that somebody is in a hurry for.
    fn joined(company: &mut Company, hurried: usize, now: Instant) -> Vec<Key> {
        let mut outcomes: Vec<_> = (0..hurried).map(|_| outcome(0)).collect();
        company.join(&mut outcomes, now);
        outcomes.drain(..hurried);
        outcomes.into_iter().map(|outcome| outcome.key).collect()
    }

    #[test]
    fn two_go_along_with_each_and_the_oldest_first() {
        let (mut company, now) = (Company::default(), Instant::now());
        (1..=6).for_each(|key| company.expect(outcome(key), now));
        assert_eq!(joined(&mut company, 0, now), [] as [Key; 0]);
        assert_eq!(joined(&mut company, 1, now), [1, 2]);
        company.delay(outcome(7), now);
        assert_eq!(joined(&mut company, 1, now), [7, 3]);
        assert_eq!(joined(&mut company, 2, now), [4, 5, 6]);
        assert_eq!(company.next(), None);
    }

    #[test]
    fn without_company_they_go_after_a_while() {
        let (mut company, now) = (Company::default(), Instant::now());
        company.expect(outcome(1), now);
        assert_eq!(company.next(), Some(now + WAIT));
        company.delay(outcome(2), now);
        assert_eq!(company.next(), Some(now + SHORT_WAIT));
        assert_eq!(joined(&mut company, 0, now + SHORT_WAIT), [2, 1]);
    }

    #[test]
    fn however_many_there_are_they_go_in_lots_and_soon() {
        let (mut company, mut now) = (Company::default(), Instant::now());
        let many: Key = 5000;
        (0..many).for_each(|key| company.expect(outcome(key), now));
        let (start, mut gone) = (now, Vec::new());
        while let Some(next) = company.next() {
            now = now.max(next);
            let left = many as usize - gone.len();
            let lot = joined(&mut company, 0, now);
            assert!(lot.len() <= LOT.max(left / PART), "{} of {left}", lot.len());
            assert_eq!(joined(&mut company, 0, now), [] as [Key; 0], "there is a rest between two");
            gone.extend(lot);
        }
        assert_eq!(gone, (0..many).collect::<Vec<_>>());
        assert!(now - start < WAIT + Duration::from_secs(1), "{:?}", now - start);
    }
}
