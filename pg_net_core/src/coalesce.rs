//! Waiting a moment for more of the same, where one costs nearly as much as many.

use std::time::{Duration, Instant};

/// How long commits gather where they come in quick succession: to read the queue for one costs nearly as much as for many.
const COMMITS: Duration = Duration::from_millis(1);
/// Two commits that come within this are in quick succession.
const QUICK_COMMITS: Duration = Duration::from_micros(500);
/// How long outcomes gather where they come in quick succession: to record a few costs nearly as much as to record many, above
/// all where each transaction waits for the disk.
const OUTCOMES: Duration = Duration::from_millis(2);
/// Outcomes that come within this after others were recorded are in quick succession.
const QUICK_OUTCOMES: Duration = Duration::from_millis(1);

/// When the queue is read for commits.
#[derive(Debug)]
pub struct CommitCoalescer {
    read_at: Instant,
    gathers: bool,
}

impl CommitCoalescer {
    /// Nothing has come yet.
    pub fn new(now: Instant) -> Self {
        Self { read_at: now, gathers: false }
    }

    /// Until when commits are left to gather, if they are.
    pub fn until(&self, now: Instant) -> Option<Instant> {
        let until = self.read_at + COMMITS;
        (self.gathers && now < until).then_some(until)
    }

    /// So many wake-ups were taken. Whether the queue is to be read now.
    ///
    /// Where commits [gather](Self::gathers) the worker counts itself among those that wake it, so one of the wake-ups is its own.
    pub fn take(&mut self, now: Instant, wake_ups: u32) -> bool {
        let commits = wake_ups.saturating_sub(u32::from(self.gathers));
        let is_quick = now.saturating_duration_since(self.read_at) < QUICK_COMMITS;
        self.gathers = commits > 1 || (commits > 0 && is_quick);
        if commits > 0 {
            self.read_at = now;
        }
        commits > 0
    }

    /// Whether those that come next are left to gather: they need not wake the worker.
    pub fn gathers(&self) -> bool {
        self.gathers
    }
}

/// When outcomes are recorded.
#[derive(Debug)]
pub struct OutcomeCoalescer {
    recorded_at: Instant,
    gathers_until: Instant,
}

impl OutcomeCoalescer {
    /// Nothing has come yet.
    pub fn new(now: Instant) -> Self {
        Self { recorded_at: now, gathers_until: now }
    }

    /// When to take the outcomes that are left to gather, if they are. The engine does not tell of them.
    pub fn deadline(&self, now: Instant) -> Option<Instant> {
        (now < self.gathers_until).then_some(self.gathers_until)
    }

    /// Whether what comes now follows so soon that more is likely on its way.
    pub fn is_quick(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.recorded_at) < QUICK_OUTCOMES
    }

    /// Outcomes were taken, and followed others quickly: the next are left to gather.
    pub fn gather(&mut self, now: Instant) {
        self.gathers_until = now + OUTCOMES;
    }

    /// Outcomes were recorded.
    pub fn recorded(&mut self, now: Instant) {
        self.recorded_at = now;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LATER: Duration = Duration::from_secs(1);

    #[test]
    fn a_commit_by_itself_is_read_at_once() {
        let start = Instant::now();
        let mut commits = CommitCoalescer::new(start);
        assert!(commits.take(start + LATER, 1));
        assert!(!commits.gathers());
        assert_eq!(commits.until(start + LATER), None);
    }

    #[test]
    fn commits_in_quick_succession_gather_for_a_millisecond() {
        let start = Instant::now() + LATER;
        let mut commits = CommitCoalescer::new(Instant::now());
        assert!(commits.take(start, 2));
        assert!(commits.gathers());
        let before_the_end = start + COMMITS - Duration::from_micros(1);
        assert_eq!(commits.until(before_the_end), Some(start + COMMITS));
        assert_eq!(commits.until(start + COMMITS), None);
    }

    #[test]
    fn the_workers_own_wake_up_counts_for_no_commit() {
        let start = Instant::now() + LATER;
        let mut commits = CommitCoalescer::new(Instant::now());
        assert!(commits.take(start, 3));
        assert!(!commits.take(start + COMMITS, 1), "the one wake-up was the worker's own");
        assert!(!commits.gathers());
    }

    #[test]
    fn one_commit_soon_after_another_makes_the_next_gather() {
        let start = Instant::now() + LATER;
        let mut commits = CommitCoalescer::new(Instant::now());
        assert!(commits.take(start, 1));
        assert!(commits.take(start + QUICK_COMMITS - Duration::from_micros(1), 1));
        assert!(commits.gathers());
        assert!(commits.take(start + LATER, 2));
        assert!(!commits.gathers(), "a second later one commit, beside the worker's own wake-up, is alone");
    }

    #[test]
    fn outcomes_gather_only_after_they_came_quickly() {
        let start = Instant::now() + LATER;
        let mut outcomes = OutcomeCoalescer::new(Instant::now());
        assert!(!outcomes.is_quick(start));
        outcomes.recorded(start);
        assert!(outcomes.is_quick(start + QUICK_OUTCOMES - Duration::from_micros(1)));
        assert!(!outcomes.is_quick(start + QUICK_OUTCOMES));
        assert_eq!(outcomes.deadline(start), None);
        outcomes.gather(start);
        assert_eq!(outcomes.deadline(start), Some(start + OUTCOMES));
        assert_eq!(outcomes.deadline(start + OUTCOMES), None);
    }
}
