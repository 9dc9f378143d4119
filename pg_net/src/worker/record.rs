//! Recording: taking requests that have an outcome out of the queue and storing what came, in one transaction.
//!
//! Whatever has come in is recorded together, up to a bound, and never waited for. An outcome that cannot be stored must not
//! hold up the others: a batch that fails is tried again in halves, down to the one, which is set aside and tried again with
//! a growing pause. One that code of users, or a constraint, keeps from the responses is held in a table of its own, and its request
//! is done.

use std::collections::{HashSet, VecDeque};
use std::time::{Instant, SystemTime};

use engine::{Jitter, Key, Outcome, RetryPolicy};
use pgrx::PgSqlErrorCode;

use super::claim::Claim;
use super::known_tables::Tables;
use crate::pg::process::backoff::{Backoff, is_in_the_way};
use crate::pg::process::{allocator, server};
use crate::pg::spi::transaction::{Aborted, transaction};
use crate::pg::types::clock;
use crate::settings;
use crate::shmem::waiters;
use crate::user_code::is_of_the_row;

mod dead_letter;
mod store;

use store::{Care, Entry, Except, Fate, Store, Stored};

/// Outcomes that one transaction records. More at a time gains nothing.
const MOST: usize = 500;
/// Bytes of bodies that one transaction records, unless a single one has more: they stand in memory several times.
const MOST_BYTES: usize = 16 << 20;
/// Bytes that came and went after which memory is given back to the system when there is nothing under way.
const MUCH: usize = 16 << 20;
/// Bytes that a request and its reply take beside their bodies, about.
const BESIDE: usize = 1 << 10;

pub(super) struct Record {
    /// What came and was not looked at yet.
    inbox: Vec<Outcome>,
    ready: VecDeque<Outcome>,
    /// Outcomes set aside: they could not be stored even alone.
    stuck: VecDeque<Outcome>,
    /// How many are taken at once: falls when a batch fails, and grows again.
    most: usize,
    /// After an error that no outcome is to blame for.
    pause: Backoff,
    /// Until the first of the stuck is tried again.
    stuck_pause: Backoff,
    /// Whether rows that somebody holds locked are looked for before they are waited for: there was one.
    careful: bool,
    /// Whether each response is stored by itself: a constraint has refused one.
    one_by_one: bool,
    /// How many outcomes were held since somebody asked.
    held: usize,
    /// Bytes that came and went since memory was given back.
    passed: usize,
    store: Store,
    retries: RetryPolicy,
    jitter: Jitter,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            inbox: Vec::new(),
            ready: VecDeque::new(),
            stuck: VecDeque::new(),
            most: MOST,
            pause: Backoff::default(),
            stuck_pause: Backoff::default(),
            careful: false,
            one_by_one: false,
            held: 0,
            passed: 0,
            store: Store::new(),
            retries: settings::policy().retry,
            jitter: Jitter::new(),
        }
    }

    pub(super) fn reload(&mut self) {
        self.retries = settings::policy().retry;
    }

    /// Where outcomes are put.
    pub(super) fn inbox(&mut self) -> &mut Vec<Outcome> {
        &mut self.inbox
    }

    /// How many outcomes are not recorded yet.
    pub(super) fn pending(&self) -> usize {
        self.inbox.len() + self.ready.len() + self.stuck.len()
    }

    /// Whether outcomes were held, since the last call.
    pub(super) fn take_held(&mut self) -> bool {
        std::mem::take(&mut self.held) > 0
    }

    /// Takes outcomes of requests that will have none, but for those whose own has come and is about to be recorded. How many
    /// it took.
    pub(super) fn give_up(&mut self, lost: Vec<Outcome>) -> usize {
        let come: HashSet<Key> = self.ready.iter().chain(&self.inbox).map(|outcome| outcome.key).collect();
        let before = self.inbox.len();
        self.inbox.extend(lost.into_iter().filter(|outcome| !come.contains(&outcome.key)));
        self.inbox.len() - before
    }

    /// Has what failed before tried again at once.
    pub(super) fn hurry(&mut self) {
        self.pause.succeed();
        self.stuck_pause.succeed();
    }

    /// So many bytes came in, to be freed when they are dealt with.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.passed = self.passed.saturating_add(bytes);
    }

    /// There is nothing under way: what requests and replies took is of no use.
    pub(super) fn rest(&mut self) {
        if self.passed >= MUCH {
            self.passed = 0;
            allocator::give_back();
        }
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        let pause = self.pause.deadline().filter(|_| !self.ready.is_empty());
        let stuck_pause = self.stuck_pause.deadline().filter(|_| !self.stuck.is_empty());
        pause.into_iter().chain(stuck_pause).min()
    }

    /// Records one batch, if there is something to record. Whether there may be more to record at once.
    pub(super) fn work(&mut self, now: Instant, tables: &mut Tables, claim: &mut Claim) -> bool {
        // Outcomes of rows that are not claimed any more belong to a queue that is gone.
        self.ready.extend(self.inbox.drain(..).filter(|outcome| claim.asked(outcome.key).is_some()));
        if !self.pause.is_over(now) {
            return false;
        }
        let retried = self.ready.is_empty() && self.stuck_pause.is_over(now);
        if retried {
            self.ready.extend(self.stuck.pop_front());
        }
        let batch = self.take_batch(claim);
        if batch.is_empty() {
            return false;
        }
        let careful = self.careful || retried;
        let care = Care { of_locks: careful, of_constraints: std::mem::take(&mut self.one_by_one) };
        let fates: Vec<Fate> = batch.iter().map(|outcome| self.fate(outcome, claim)).collect();
        let result = transaction(c"recording responses", |session| {
            let entries: Vec<Entry> = batch
                .iter()
                .zip(&fates)
                .filter_map(|(outcome, &fate)| Some(Entry { outcome, asked: claim.asked(outcome.key)?, fate }))
                .collect();
            self.store.run(session, tables, entries, care)
        });
        match result {
            Ok(Stored::Some(Except { locked, left, held })) => {
                self.held += held;
                self.careful = !locked.is_empty();
                if !self.careful {
                    self.succeed(retried);
                }
                waiters::tell(server::my_database(), || {
                    let ended = batch.iter().zip(&fates).filter(|(_, fate)| !matches!(fate, Fate::PutOff(_)));
                    ended.filter_map(|(outcome, _)| Some(claim.asked(outcome.key)?.id)).collect()
                });
                for (outcome, fate) in batch.into_iter().zip(fates).rev() {
                    if left.contains(&outcome.key) {
                        self.ready.push_front(outcome);
                        continue;
                    }
                    if locked.contains(&outcome.key) {
                        self.set_aside(now, outcome, retried, PgSqlErrorCode::ERRCODE_LOCK_NOT_AVAILABLE);
                        continue;
                    }
                    match fate {
                        Fate::Done | Fate::UsedUp => claim.finish(outcome.key),
                        Fate::PutOff(due) => claim.put_off(outcome.key, due),
                    }
                }
                true
            }
            Ok(Stored::OtherTables) => {
                claim.start_over();
                self.ready.clear();
                self.stuck.clear();
                waiters::tell_all(server::my_database());
                true
            }
            // Perhaps the lock of a single row, which must not hold up the others.
            Err(error) if is_of_a_lock(error.code) && !careful => {
                self.careful = true;
                self.ready.extend(batch);
                true
            }
            Err(error) => self.fail(now, batch, retried, care, &error),
        }
    }

    /// What an outcome means for its request.
    fn fate(&mut self, outcome: &Outcome, claim: &Claim) -> Fate {
        let Some(asked) = claim.asked(outcome.key).filter(|asked| asked.may_be_tried_again()) else {
            return Fate::Done;
        };
        if !RetryPolicy::may_pass(outcome) {
            return Fate::Done;
        }
        let [made, most] = [asked.attempts, asked.max_attempts].map(i32::unsigned_abs);
        match self.retries.next_attempt(outcome, made, most, SystemTime::now(), &mut self.jitter) {
            Some(wait) => Fate::PutOff(clock::after(clock::now(), wait)),
            None => Fate::UsedUp,
        }
    }

    fn succeed(&mut self, retried: bool) {
        self.most = (self.most * 2).min(MOST);
        self.pause.succeed();
        if retried {
            self.ready.append(&mut self.stuck);
            self.stuck_pause.succeed();
        }
    }

    /// Puts a batch that failed where it is tried again. Whether there is more to do at once.
    fn fail(&mut self, now: Instant, outcomes: Vec<Outcome>, retried: bool, care: Care, error: &Aborted) -> bool {
        let alone = outcomes.len() == 1;
        let half = outcomes.len().div_ceil(2);
        let outcomes = outcomes.into_iter();
        if concerns_all(error.code) {
            pgrx::warning!("pg_net: could not store responses, and will try again: {error}");
            outcomes.rev().for_each(|outcome| self.ready.push_front(outcome));
            self.pause.fail_of(now, error.code);
            false
        } else if is_of_the_row(error.code as i32) && !care.of_constraints {
            self.one_by_one = true;
            outcomes.rev().for_each(|outcome| self.ready.push_front(outcome));
            true
        } else if alone {
            if retried || self.stuck.is_empty() {
                pgrx::warning!("pg_net: could not store a response, and will try again: {error}");
            }
            outcomes.for_each(|outcome| self.set_aside(now, outcome, retried, error.code));
            true
        } else {
            self.most = half;
            outcomes.rev().for_each(|outcome| self.ready.push_front(outcome));
            true
        }
    }

    /// Puts an outcome where it holds up no other, until the pause is over.
    fn set_aside(&mut self, now: Instant, outcome: Outcome, retried: bool, reason: PgSqlErrorCode) {
        if retried || self.stuck.is_empty() {
            self.stuck_pause.fail_of(now, reason);
        }
        self.stuck.push_back(outcome);
    }

    fn take_batch(&mut self, claim: &Claim) -> Vec<Outcome> {
        let mut batch = Vec::with_capacity(self.ready.len().min(self.most));
        let mut bytes = 0;
        while batch.len() < self.most && bytes < MOST_BYTES {
            let Some(outcome) = self.ready.pop_front() else { break };
            if claim.asked(outcome.key).is_none() {
                continue;
            }
            bytes += super::response_row::body_length(&outcome);
            batch.push(outcome);
        }
        self.pass(bytes + batch.len() * BESIDE);
        batch
    }
}

/// Whether an error says that somebody holds what was waited for.
fn is_of_a_lock(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    matches!(code, ERRCODE_LOCK_NOT_AVAILABLE | ERRCODE_T_R_DEADLOCK_DETECTED)
}

/// Whether an error says nothing about the rows that met it.
fn concerns_all(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    is_in_the_way(code)
        || matches!(
            code,
            ERRCODE_DISK_FULL
                | ERRCODE_OUT_OF_MEMORY
                | ERRCODE_INSUFFICIENT_PRIVILEGE
                | ERRCODE_READ_ONLY_SQL_TRANSACTION
                | ERRCODE_IO_ERROR
        )
}
