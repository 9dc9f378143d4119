//! When rows of the queue fall due.

use std::time::Duration;

use crate::{Key, NEVER, NEVER_YET, Timestamp};

/// Rows that wait for a time: which of them have been read, and when the next one falls due.
#[derive(Debug)]
pub struct DueSchedule {
    /// Every row that is due up to here has been read.
    cursor: (Timestamp, Key),
    /// The earliest time after the cursor that a row may wait for.
    next: Timestamp,
    /// Whether `next` is a guess, and the table has to be asked.
    unknown: bool,
}

impl Default for DueSchedule {
    fn default() -> Self {
        Self { cursor: (NEVER_YET, Key::MIN), next: NEVER_YET, unknown: true }
    }
}

impl DueSchedule {
    /// The queue is read again from its start.
    pub fn start_over(&mut self) {
        self.add(NEVER_YET);
    }

    /// There is no queue.
    pub fn clear(&mut self) {
        (self.unknown, self.next) = (false, NEVER);
    }

    /// There is a row that is due at this time; [`NEVER_YET`] where the time is not known.
    pub fn add(&mut self, due: Timestamp) {
        if due <= self.cursor.0 {
            self.cursor = (due, Key::MIN);
        }
        self.next = self.next.min(due);
        self.unknown |= due == NEVER_YET;
    }

    /// Where the next read starts: behind this time and key.
    pub fn cursor(&self) -> (Timestamp, Key) {
        self.cursor
    }

    /// Whether there are rows to read now. The clock is asked only if need be.
    pub fn is_due(&self, now: impl FnOnce() -> Timestamp) -> bool {
        self.unknown || (self.next != NEVER && self.next <= now())
    }

    /// How long it is until there are.
    pub fn wait(&self, now: impl FnOnce() -> Timestamp) -> Option<Duration> {
        if self.unknown {
            return Some(Duration::ZERO);
        }
        let wait = |next: Timestamp| Duration::from_micros(u64::try_from(next.saturating_sub(now())).unwrap_or(0));
        (self.next != NEVER).then(|| wait(self.next))
    }

    /// A row was read.
    pub fn read(&mut self, due: Timestamp, key: Key) {
        self.cursor = (due, key);
    }

    /// The read is over, and gave every row that is due: the first of those that are left falls due at this time, or [`NEVER`].
    pub fn read_all(&mut self, first: Timestamp) {
        (self.unknown, self.next) = (false, first);
    }

    /// The read is over, and may have left rows that are due.
    pub fn read_some(&mut self) {
        (self.unknown, self.next) = (true, self.cursor.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(first: Timestamp) -> DueSchedule {
        let mut schedule = DueSchedule::default();
        schedule.read(100, 7);
        schedule.read_all(first);
        schedule
    }

    #[test]
    fn a_new_one_asks_the_table_at_once() {
        let schedule = DueSchedule::default();
        assert!(schedule.is_due(|| 0));
        assert_eq!(schedule.wait(|| 0), Some(Duration::ZERO));
    }

    #[test]
    fn it_waits_for_the_first_row_and_no_longer() {
        let schedule = known(1000);
        assert!(!schedule.is_due(|| 999));
        assert_eq!(schedule.wait(|| 400), Some(Duration::from_micros(600)));
        assert!(schedule.is_due(|| 1000));
        assert_eq!(schedule.wait(|| 5000), Some(Duration::ZERO));
    }

    #[test]
    fn nothing_to_wait_for_is_no_deadline() {
        let schedule = known(NEVER);
        assert!(!schedule.is_due(|| Timestamp::MAX));
        assert_eq!(schedule.wait(|| 0), None);
    }

    #[test]
    fn an_earlier_row_is_waited_for_instead() {
        let mut schedule = known(1000);
        schedule.add(500);
        schedule.add(700);
        assert!(schedule.is_due(|| 500));
        assert!(!schedule.is_due(|| 499));
        assert_eq!(schedule.cursor(), (100, 7), "what was read is not read again");
    }

    #[test]
    fn a_row_before_the_cursor_is_read_again() {
        let mut schedule = known(1000);
        schedule.add(50);
        assert_eq!(schedule.cursor(), (50, Key::MIN));
        assert!(schedule.is_due(|| 50));
    }

    #[test]
    fn a_row_of_unknown_time_has_the_table_asked() {
        let mut schedule = known(NEVER);
        schedule.add(NEVER_YET);
        assert!(schedule.is_due(|| NEVER_YET));
        assert_eq!(schedule.cursor(), (NEVER_YET, Key::MIN));
    }

    #[test]
    fn a_read_that_was_cut_short_goes_on_at_once() {
        let mut schedule = known(1000);
        schedule.read(1000, 3);
        schedule.read_some();
        assert!(schedule.is_due(|| 0));
        assert_eq!(schedule.cursor(), (1000, 3));
    }

    #[test]
    fn without_a_queue_nothing_is_due_until_a_row_comes() {
        let mut schedule = DueSchedule::default();
        schedule.clear();
        assert_eq!(schedule.wait(|| 0), None);
        schedule.add(10);
        assert!(schedule.is_due(|| 10));
    }
}
