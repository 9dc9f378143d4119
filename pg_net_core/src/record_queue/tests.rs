use std::time::Duration;

use super::*;

/// Bytes of a body: keys from a million on stand for large ones.
fn bytes(key: &Key) -> usize {
    if *key >= 1_000_000 { MOST_BYTES / 2 } else { 10 }
}

struct Run {
    queue: RecordQueue<Key>,
    now: Instant,
    recorded: Vec<Key>,
    /// How many outcomes each transaction had.
    sizes: Vec<usize>,
}

impl Run {
    fn new(outcomes: impl IntoIterator<Item = Key>) -> Self {
        let mut queue = RecordQueue::new(|key| *key, bytes);
        queue.inbox().extend(outcomes);
        Self { queue, now: Instant::now(), recorded: Vec::new(), sizes: Vec::new() }
    }

    fn batch(&mut self) -> Option<Batch<Key>> {
        let batch = self.queue.next(self.now, |_| true)?;
        self.sizes.push(batch.outcomes.len());
        Some(batch)
    }

    fn store(&mut self, batch: Batch<Key>) {
        self.store_but(batch, &[], &[]);
    }

    fn store_but(&mut self, batch: Batch<Key>, locked: &[Key], left: &[Key]) {
        let [locked, left] = [locked, left].map(|keys| keys.iter().copied().collect());
        let recorded = &mut self.recorded;
        self.queue.stored(self.now, batch, &locked, &left, |_, key| recorded.push(key));
    }

    /// Records until there is nothing to record now, where a batch with one of these outcomes fails.
    fn record_where_fail(&mut self, bad: &[Key], trouble: Trouble) {
        for _ in 0..1000 {
            let Some(batch) = self.batch() else { return };
            if batch.outcomes.iter().any(|key| bad.contains(key)) {
                self.queue.failed(self.now, batch, trouble);
            } else {
                self.store(batch);
            }
        }
        panic!("it goes on and on: {:?}", self.sizes);
    }

    fn recorded(&mut self) -> Vec<Key> {
        self.recorded.sort_unstable();
        std::mem::take(&mut self.recorded)
    }
}

#[test]
fn one_transaction_records_at_most_five_hundred() {
    let mut run = Run::new(0..1200);
    run.record_where_fail(&[], Trouble::Other);
    assert_eq!(run.sizes, [500, 500, 200]);
    assert_eq!(run.recorded(), (0..1200).collect::<Vec<_>>());
    assert_eq!(run.queue.pending(), 0);
}

#[test]
fn one_transaction_records_a_bounded_number_of_bytes() {
    let mut run = Run::new(1_000_000..1_000_005);
    run.record_where_fail(&[], Trouble::Other);
    assert_eq!(run.sizes, [2, 2, 1]);
}

#[test]
fn a_batch_that_fails_is_halved_down_to_the_one_that_is_to_blame() {
    let mut run = Run::new(0..100);
    run.record_where_fail(&[37], Trouble::Other);
    assert_eq!(run.recorded(), (0..100).filter(|&key| key != 37).collect::<Vec<_>>());
    assert_eq!(run.queue.pending(), 1);
    assert!(run.sizes.starts_with(&[100, 50, 25]), "{:?}", run.sizes);
    assert!(run.sizes.len() < 30, "{:?}", run.sizes);
}

#[test]
fn after_a_success_batches_grow_again() {
    let mut run = Run::new(0..8);
    let batch = run.batch().expect("a batch");
    run.queue.failed(run.now, batch, Trouble::Other);
    run.queue.inbox().extend(8..100);
    run.record_where_fail(&[], Trouble::Other);
    assert_eq!(run.sizes, [8, 4, 8, 16, 32, 40]);
}

#[test]
fn what_is_set_aside_is_tried_again_after_a_pause_that_grows() {
    let mut run = Run::new([1]);
    for pause in [100, 200, 400] {
        run.record_where_fail(&[1], Trouble::Other);
        assert_eq!(run.queue.deadline(), Some(run.now + Duration::from_millis(pause)));
        run.now += Duration::from_millis(pause - 1);
        assert!(run.batch().is_none(), "before the pause of {pause} ms is over");
        run.now += Duration::from_millis(1);
    }
    run.record_where_fail(&[], Trouble::Other);
    assert_eq!(run.recorded(), [1]);
    assert_eq!(run.queue.deadline(), None);
}

#[test]
fn when_one_that_was_set_aside_is_stored_the_others_are_tried_at_once() {
    let mut run = Run::new([1, 2, 3]);
    run.record_where_fail(&[1, 2, 3], Trouble::Other);
    assert_eq!(run.queue.pending(), 3);
    run.now += Duration::from_secs(60);
    run.record_where_fail(&[], Trouble::Other);
    assert_eq!(run.recorded(), [1, 2, 3]);
}

#[test]
fn a_server_that_stores_nothing_is_left_alone_for_a_while_and_keeps_the_order() {
    let mut run = Run::new([1, 2, 3]);
    let batch = run.batch().expect("a batch");
    let failed = run.queue.failed(run.now, batch, Trouble::Server);
    assert_eq!(failed, Failed { more: false, warning: Some(Warning::All) });
    assert!(run.batch().is_none());
    assert_eq!(run.queue.deadline(), Some(run.now + Duration::from_millis(100)));
    run.now += Duration::from_millis(100);
    assert_eq!(run.batch().expect("a batch").outcomes, [1, 2, 3]);
}

#[test]
fn a_lock_has_locked_rows_passed_over_before_anything_waits() {
    let mut run = Run::new([1, 2, 3]);
    let batch = run.batch().expect("a batch");
    assert!(!batch.skip_locked);
    assert_eq!(run.queue.failed(run.now, batch, Trouble::Locked), Failed { more: true, warning: None });
    let batch = run.batch().expect("a batch");
    assert!(batch.skip_locked);
    run.store_but(batch, &[2], &[]);
    assert_eq!(run.recorded(), [1, 3]);
    run.now += Duration::from_secs(5);
    let batch = run.batch().expect("the one that was locked");
    assert!(batch.skip_locked, "it may be locked still");
    run.store(batch);
    assert_eq!(run.recorded(), [2]);
    run.queue.inbox().push(4);
    assert!(!run.batch().expect("a batch").skip_locked, "nothing was locked in the last one");
}

#[test]
fn a_lock_of_the_whole_table_is_waited_for() {
    let mut run = Run::new([1, 2]);
    let batch = run.batch().expect("a batch");
    run.queue.failed(run.now, batch, Trouble::Locked);
    let batch = run.batch().expect("a batch");
    let failed = run.queue.failed(run.now, batch, Trouble::Locked);
    assert_eq!(failed, Failed { more: false, warning: Some(Warning::All) });
    assert_eq!(run.queue.pending(), 2);
}

#[test]
fn a_constraint_has_the_batch_stored_one_by_one_once() {
    let mut run = Run::new([1, 2]);
    let batch = run.batch().expect("a batch");
    assert!(!batch.one_by_one);
    assert_eq!(run.queue.failed(run.now, batch, Trouble::Row), Failed { more: true, warning: None });
    let batch = run.batch().expect("a batch");
    assert!(batch.one_by_one);
    run.store(batch);
    run.queue.inbox().push(3);
    assert!(!run.batch().expect("a batch").one_by_one);
}

#[test]
fn what_one_batch_leaves_comes_first_in_the_next() {
    let mut run = Run::new([1, 2, 3, 4]);
    let batch = run.batch().expect("a batch");
    run.store_but(batch, &[], &[3, 4]);
    run.queue.inbox().push(5);
    assert_eq!(run.batch().expect("a batch").outcomes, [3, 4, 5]);
    assert_eq!(run.recorded(), [1, 2]);
}

#[test]
fn outcomes_of_rows_that_are_not_claimed_any_more_are_dropped() {
    let mut run = Run::new([1, 2, 3]);
    let batch = run.queue.next(run.now, |key| key != 2).expect("a batch");
    assert_eq!(batch.outcomes, [1, 3]);
    run.store(batch);
    assert_eq!(run.queue.pending(), 0);
}

#[test]
fn a_request_is_given_up_unless_its_outcome_has_come() {
    let mut run = Run::new([1, 2]);
    assert_eq!(run.queue.give_up(vec![2, 3, 4]), 2);
    assert_eq!(run.batch().expect("a batch").outcomes, [1, 2, 3, 4]);
}

#[test]
fn the_first_that_is_stuck_is_logged_and_each_new_try_at_it() {
    let mut run = Run::new([1]);
    let batch = run.batch().expect("a batch");
    assert_eq!(run.queue.failed(run.now, batch, Trouble::Other).warning, Some(Warning::One));
    run.queue.inbox().push(2);
    let batch = run.batch().expect("a batch");
    assert_eq!(run.queue.failed(run.now, batch, Trouble::Other).warning, None, "one is stuck already");
    run.queue.retry_now();
    let batch = run.batch().expect("the first again");
    assert_eq!(batch.outcomes, [1]);
    assert_eq!(run.queue.failed(run.now, batch, Trouble::Other).warning, Some(Warning::One));
}
