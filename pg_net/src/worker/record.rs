//! Recording: taking requests that have an outcome out of the queue and storing what came, in one transaction.
//!
//! Whatever has come in is recorded together, up to a bound, and never waited for. An outcome that cannot be stored must not
//! hold up the others: a batch that fails is tried again in halves, down to the one, which is set aside and tried again with
//! a growing pause.

use std::collections::{HashSet, VecDeque};
use std::time::Instant;

use engine::{Key, Outcome};

use super::backoff::Backoff;
use super::claim::{Asked, Claim};
use super::outcomes::Columns;
use super::tables::{Found, Tables};
use crate::pg::array;
use crate::pg::plan::{Access, Plan, Session};
use crate::pg::transaction::{Aborted, transaction};
use crate::shared;
use pgrx::{PgSqlErrorCode, pg_sys};

/// Outcomes that one transaction records. More at a time gains nothing.
const MOST: usize = 500;
/// Bytes of bodies that one transaction records, unless a single one has more: they stand in memory several times.
const MOST_BYTES: usize = 16 << 20;

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
    plans: Plans,
}

struct Plans {
    delete: Plan,
    insert: Plan,
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
            plans: Plans {
                delete: Plan::new(c"delete from net.http_request_queue where row_key = any ($1) returning row_key"),
                insert: Plan::new(super::outcomes::INSERT),
            },
        }
    }

    /// Where outcomes are put.
    pub(super) fn inbox(&mut self) -> &mut Vec<Outcome> {
        &mut self.inbox
    }

    /// How many outcomes are not recorded yet.
    pub(super) fn pending(&self) -> usize {
        self.inbox.len() + self.ready.len() + self.stuck.len()
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
        match transaction(c"recording responses", |session| self.store(session, tables, &batch)) {
            Ok(Stored::Done) => {
                for (outcome, _) in &batch {
                    claim.finish(outcome.key);
                }
                self.succeed(retried);
                shared::get().count_record();
                true
            }
            Ok(Stored::OtherTables) => {
                claim.start_over();
                self.ready.clear();
                self.stuck.clear();
                true
            }
            Err(error) => self.fail(now, batch, retried, &error),
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
    fn fail(&mut self, now: Instant, batch: Vec<(Outcome, Asked)>, retried: bool, error: &Aborted) -> bool {
        let alone = batch.len() == 1;
        let half = batch.len().div_ceil(2);
        let outcomes = batch.into_iter().map(|(outcome, _)| outcome);
        if concerns_all(error.code) {
            pgrx::warning!("pg_net: could not store responses, and will try again: {error}");
            outcomes.rev().for_each(|outcome| self.ready.push_front(outcome));
            self.pause.fail(now);
            false
        } else if alone {
            if retried || self.stuck.is_empty() {
                pgrx::warning!("pg_net: could not store a response, and will try again: {error}");
                self.stuck_pause.fail(now);
            }
            self.stuck.extend(outcomes);
            true
        } else {
            self.most = half;
            outcomes.rev().for_each(|outcome| self.ready.push_front(outcome));
            true
        }
    }

    fn take_batch(&mut self, claim: &Claim) -> Vec<(Outcome, Asked)> {
        let mut batch = Vec::with_capacity(self.ready.len().min(self.most));
        let mut bytes = 0;
        while batch.len() < self.most && bytes < MOST_BYTES {
            let Some(outcome) = self.ready.pop_front() else { break };
            let Some(asked) = claim.asked(outcome.key) else { continue };
            bytes += super::outcomes::body_length(&outcome);
            batch.push((outcome, asked));
        }
        batch
    }

    fn store(&self, session: &Session, tables: &mut Tables, batch: &[(Outcome, Asked)]) -> Stored {
        let _owner = match tables.find() {
            Found::Same(owner) => owner,
            Found::New(_) | Found::Nothing => {
                tables.forget();
                return Stored::OtherTables;
            }
        };
        let keys = array::int8s(batch.iter().map(|(outcome, _)| outcome.key));
        let deleted = session.run(&self.plans.delete, Access::Write, [pg_sys::INT8ARRAYOID], [Some(keys)]);
        // A row that somebody deleted meanwhile has nobody who waits for its outcome.
        let gone = (deleted.count() < batch.len())
            .then(|| (0..deleted.count()).filter_map(|row| deleted.row::<1>(row).int8(0)).collect::<HashSet<Key>>());
        let mut columns = Columns::with_capacity(batch.len());
        for (outcome, asked) in batch {
            if gone.as_ref().is_none_or(|deleted| deleted.contains(&outcome.key)) {
                columns.push(outcome, *asked);
            }
        }
        if !columns.is_empty() {
            session.run(&self.plans.insert, Access::Write, super::outcomes::TYPES, columns.build());
        }
        Stored::Done
    }
}

enum Stored {
    Done,
    /// The tables are gone, or others: the batch belongs to none.
    OtherTables,
}

/// Whether an error says nothing about the rows that met it.
fn concerns_all(code: PgSqlErrorCode) -> bool {
    use PgSqlErrorCode::*;
    matches!(
        code,
        ERRCODE_LOCK_NOT_AVAILABLE
            | ERRCODE_T_R_DEADLOCK_DETECTED
            | ERRCODE_QUERY_CANCELED
            | ERRCODE_DISK_FULL
            | ERRCODE_OUT_OF_MEMORY
            | ERRCODE_INSUFFICIENT_PRIVILEGE
            | ERRCODE_READ_ONLY_SQL_TRANSACTION
            | ERRCODE_IO_ERROR
    )
}
