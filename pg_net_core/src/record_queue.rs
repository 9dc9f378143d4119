//! Outcomes on their way into the tables: which of them one transaction records, and what is done with those that it cannot.
//!
//! An outcome that cannot be stored must not hold up the others. A batch that fails is tried again in halves, down to a single
//! outcome, which is set aside and tried again after a pause that grows.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use crate::Key;
use crate::backoff::{Backoff, Obstacle};

/// Outcomes that one transaction records. More at a time gains nothing.
const MOST: usize = 500;
/// Bytes of bodies that one transaction records, unless a single one has more: they stand in memory several times.
const MOST_BYTES: usize = 16 << 20;

/// Why a batch was not recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Another transaction holds what was waited for: a table, or perhaps a single row.
    Locked,
    /// Something else was in the way, such as a cancelled statement.
    InTheWay,
    /// The server cannot store anything now: its disk is full, or a privilege is missing.
    Server,
    /// A constraint, or a value that a column cannot hold.
    Row,
    /// Anything else.
    Other,
}

/// What one transaction is to record.
#[derive(Debug)]
pub struct Batch<T> {
    /// The outcomes, in order.
    pub outcomes: Vec<T>,
    /// Bytes of their bodies.
    pub bytes: usize,
    /// Whether it looks for locked rows before it touches any, and leaves them alone.
    pub skip_locked: bool,
    /// Whether each response is stored by itself, and one that a constraint refuses is held.
    pub one_by_one: bool,
    /// Whether it is an outcome that was set aside.
    is_retried: bool,
}

/// What is to be logged about a batch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Nothing can be stored for now.
    All,
    /// One response cannot be stored.
    One,
}

/// What comes of a batch that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failed {
    /// Whether there is more to record at once.
    pub more: bool,
    /// What is to be logged.
    pub warning: Option<Warning>,
}

/// The outcomes that are not recorded yet.
#[derive(Debug)]
pub struct RecordQueue<T> {
    /// The row key of an outcome's request.
    key: fn(&T) -> Key,
    /// Bytes of an outcome's body.
    bytes: fn(&T) -> usize,
    /// What came and was not looked at yet.
    inbox: Vec<T>,
    ready: VecDeque<T>,
    /// Set aside: they could not be stored even alone.
    stuck: VecDeque<T>,
    /// How many are taken at once: falls when a batch fails, and grows again.
    most: usize,
    /// After an error that no outcome is to blame for.
    pause: Backoff,
    /// Until the first of the stuck is tried again.
    stuck_pause: Backoff,
    /// Whether locked rows are looked for first: there was one.
    skip_locked: bool,
    /// Whether each response is stored by itself: a constraint has refused one.
    one_by_one: bool,
}

impl<T> RecordQueue<T> {
    /// For outcomes of which these functions give the row key and the bytes of the body.
    pub fn new(key: fn(&T) -> Key, bytes: fn(&T) -> usize) -> Self {
        Self {
            key,
            bytes,
            inbox: Vec::new(),
            ready: VecDeque::new(),
            stuck: VecDeque::new(),
            most: MOST,
            pause: Backoff::default(),
            stuck_pause: Backoff::default(),
            skip_locked: false,
            one_by_one: false,
        }
    }

    /// Where outcomes are put.
    pub fn inbox(&mut self) -> &mut Vec<T> {
        &mut self.inbox
    }

    /// How many outcomes are not recorded yet.
    pub fn pending(&self) -> usize {
        self.inbox.len() + self.ready.len() + self.stuck.len()
    }

    /// Takes outcomes of requests that will have none, except where the request's own has come and is about to be recorded. How
    /// many it took.
    pub fn give_up(&mut self, lost: Vec<T>) -> usize {
        let come: HashSet<Key> = self.ready.iter().chain(&self.inbox).map(self.key).collect();
        let before = self.inbox.len();
        let key = self.key;
        self.inbox.extend(lost.into_iter().filter(|outcome| !come.contains(&key(outcome))));
        self.inbox.len() - before
    }

    /// What failed before is tried again at once.
    pub fn retry_now(&mut self) {
        self.pause.succeed();
        self.stuck_pause.succeed();
    }

    /// The tables are gone, or others: what was to be stored in the old ones is dropped.
    pub fn clear(&mut self) {
        self.ready.clear();
        self.stuck.clear();
    }

    /// When there is something to try again.
    pub fn deadline(&self) -> Option<Instant> {
        let pause = self.pause.deadline().filter(|_| !self.ready.is_empty());
        let stuck_pause = self.stuck_pause.deadline().filter(|_| !self.stuck.is_empty());
        pause.into_iter().chain(stuck_pause).min()
    }

    /// The next batch, if there is something to record now. Outcomes of rows that are not claimed any more belong to a queue that
    /// is gone, and are dropped.
    pub fn next(&mut self, now: Instant, is_claimed: impl Fn(Key) -> bool) -> Option<Batch<T>> {
        let key = self.key;
        self.ready.extend(self.inbox.drain(..).filter(|outcome| is_claimed(key(outcome))));
        if !self.pause.is_over(now) {
            return None;
        }
        let is_retried = self.ready.is_empty() && self.stuck_pause.is_over(now);
        if is_retried {
            self.ready.extend(self.stuck.pop_front());
        }
        let mut outcomes = Vec::with_capacity(self.ready.len().min(self.most));
        let mut bytes = 0;
        while outcomes.len() < self.most && bytes < MOST_BYTES {
            let Some(outcome) = self.ready.pop_front() else { break };
            if is_claimed(key(&outcome)) {
                bytes += (self.bytes)(&outcome);
                outcomes.push(outcome);
            }
        }
        if outcomes.is_empty() {
            return None;
        }
        let skip_locked = self.skip_locked || is_retried;
        Some(Batch { outcomes, bytes, skip_locked, one_by_one: std::mem::take(&mut self.one_by_one), is_retried })
    }

    /// A batch is recorded, except for rows that were locked, and those that are left to the next batch. Gives each outcome that
    /// is recorded to `recorded`, with its place in the batch.
    pub fn stored(
        &mut self,
        now: Instant,
        batch: Batch<T>,
        locked: &HashSet<Key>,
        left: &HashSet<Key>,
        mut recorded: impl FnMut(usize, T),
    ) {
        self.skip_locked = !locked.is_empty();
        if !self.skip_locked {
            self.succeed(batch.is_retried);
        }
        for (place, outcome) in batch.outcomes.into_iter().enumerate().rev() {
            if left.contains(&(self.key)(&outcome)) {
                self.ready.push_front(outcome);
            } else if locked.contains(&(self.key)(&outcome)) {
                self.set_aside(now, outcome, batch.is_retried, Obstacle::InTheWay);
            } else {
                recorded(place, outcome);
            }
        }
    }

    /// A batch failed, and nothing of it is recorded: puts its outcomes where they are tried again.
    pub fn failed(&mut self, now: Instant, batch: Batch<T>, trouble: Trouble) -> Failed {
        let (alone, half) = (batch.outcomes.len() == 1, batch.outcomes.len().div_ceil(2));
        match trouble {
            // Perhaps the lock of a single row, which must not hold up the others.
            Trouble::Locked if !batch.skip_locked => {
                self.skip_locked = true;
                self.ready.extend(batch.outcomes);
                Failed { more: true, warning: None }
            }
            Trouble::Locked | Trouble::InTheWay | Trouble::Server => {
                self.put_back(batch.outcomes);
                let is_server = trouble == Trouble::Server;
                self.pause.fail(now, if is_server { Obstacle::Failure } else { Obstacle::InTheWay });
                Failed { more: false, warning: Some(Warning::All) }
            }
            Trouble::Row if !batch.one_by_one => {
                self.one_by_one = true;
                self.put_back(batch.outcomes);
                Failed { more: true, warning: None }
            }
            Trouble::Row | Trouble::Other if alone => {
                let warning = (batch.is_retried || self.stuck.is_empty()).then_some(Warning::One);
                for outcome in batch.outcomes {
                    self.set_aside(now, outcome, batch.is_retried, Obstacle::Failure);
                }
                Failed { more: true, warning }
            }
            Trouble::Row | Trouble::Other => {
                self.most = half;
                self.put_back(batch.outcomes);
                Failed { more: true, warning: None }
            }
        }
    }

    fn succeed(&mut self, is_retried: bool) {
        self.most = (self.most * 2).min(MOST);
        self.pause.succeed();
        if is_retried {
            self.ready.append(&mut self.stuck);
            self.stuck_pause.succeed();
        }
    }

    fn put_back(&mut self, outcomes: Vec<T>) {
        outcomes.into_iter().rev().for_each(|outcome| self.ready.push_front(outcome));
    }

    /// Puts an outcome where it holds up no other, until the pause is over.
    fn set_aside(&mut self, now: Instant, outcome: T, is_retried: bool, obstacle: Obstacle) {
        if is_retried || self.stuck.is_empty() {
            self.stuck_pause.fail(now, obstacle);
        }
        self.stuck.push_back(outcome);
    }
}

#[cfg(test)]
mod tests;
