//! Recording: taking requests that have an outcome out of the queue and storing what came, in one transaction.
//!
//! Whatever has come in is recorded together, up to a bound, and never waited for. [`RecordQueue`] says what is tried again and
//! when. An outcome that code of users, or a constraint, keeps from the responses is held in a table of its own, and its request
//! is done.

use std::time::{Instant, SystemTime};

use engine::{Jitter, Key, Outcome, RetryPolicy};
use pg_net_core::disposition::{self, Attempts, Disposition};
use pg_net_core::record_queue::{Batch, RecordQueue, Trouble, Warning};
use pgrx::PgSqlErrorCode;

use super::claimed::{Claimed, ClaimedRows};
use super::known_tables::KnownTables;
use super::response_row;
use crate::pg::process::obstacle::is_in_the_way;
use crate::pg::process::server;
use crate::pg::spi::transaction::{Aborted, transaction};
use crate::pg::types::clock::{self, Timestamp};
use crate::settings;
use crate::shmem::waiters;
use crate::user_code::is_of_the_row;

mod dead_letter;
mod store;

use store::{Care, Entry, Except, Store, Stored};

pub(super) struct Record {
    queue: RecordQueue<Outcome>,
    store: Store,
    retries: RetryPolicy,
    jitter: Jitter,
}

/// What has been recorded in one transaction.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Requests that are done: they have left the queue.
    pub(super) ended: Vec<Key>,
    /// Requests that have gone back to the queue, and when they are due.
    pub(super) put_off: Vec<(Key, Timestamp)>,
    /// The tables are gone, or others: what is claimed is in a queue that is no more.
    pub(super) are_tables_new: bool,
    /// Whether outcomes were held, for which processes of their own are to be started.
    pub(super) has_held: bool,
    /// How many outcomes were dealt with, and bytes of their bodies.
    pub(super) passed: (usize, usize),
    /// Whether there may be more to record at once.
    pub(super) more: bool,
}

impl Record {
    pub(super) fn new() -> Self {
        Self {
            queue: RecordQueue::new(|outcome| outcome.key, response_row::body_length),
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
        self.queue.inbox()
    }

    /// How many outcomes are not recorded yet.
    pub(super) fn pending(&self) -> usize {
        self.queue.pending()
    }

    /// Takes outcomes of requests that will have none, except where the request's own has come. How many it took.
    pub(super) fn give_up(&mut self, lost: Vec<Outcome>) -> usize {
        self.queue.give_up(lost)
    }

    /// Has what failed before tried again at once.
    pub(super) fn retry_now(&mut self) {
        self.queue.retry_now();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.queue.deadline()
    }

    /// Records one batch, if there is something to record.
    pub(super) fn work(&mut self, now: Instant, tables: &mut KnownTables, claimed: &ClaimedRows) -> Report {
        let Some(batch) = self.queue.next(now, |key| claimed.get(key).is_some()) else { return Report::default() };
        let passed = (batch.outcomes.len(), batch.bytes);
        let care = Care { skip_locked: batch.skip_locked, one_by_one: batch.one_by_one };
        let dispositions: Vec<Disposition> =
            batch.outcomes.iter().map(|outcome| self.disposition(outcome, claimed)).collect();
        let result = transaction(c"recording responses", |session| {
            let entries = batch.outcomes.iter().zip(&dispositions);
            let entries = entries.filter_map(|(outcome, &disposition)| {
                Some(Entry { outcome, claimed: claimed.get(outcome.key)?, disposition })
            });
            self.store.run(session, tables, entries.collect(), care)
        });
        let report = match result {
            Ok(Stored::Some(except)) => self.stored(now, batch, &dispositions, &except, claimed),
            Ok(Stored::OtherTables) => {
                self.queue.clear();
                waiters::tell_all(server::my_database());
                Report { are_tables_new: true, more: true, ..Report::default() }
            }
            Err(error) => Report { more: self.failed(now, batch, &error), ..Report::default() },
        };
        Report { passed, ..report }
    }

    /// A batch is recorded, except for some.
    fn stored(
        &mut self,
        now: Instant,
        batch: Batch<Outcome>,
        dispositions: &[Disposition],
        except: &Except,
        claimed: &ClaimedRows,
    ) -> Report {
        waiters::tell(server::my_database(), || {
            let outcomes = batch.outcomes.iter().zip(dispositions);
            let ended = outcomes.filter(|(_, disposition)| !matches!(disposition, Disposition::Retry(_)));
            ended.filter_map(|(outcome, _)| Some(claimed.get(outcome.key)?.id)).collect()
        });
        let mut report = Report { has_held: except.held > 0, more: true, ..Report::default() };
        self.queue.stored(now, batch, &except.locked, &except.left, |place, outcome| match dispositions[place] {
            Disposition::Done | Disposition::DeadLetter => report.ended.push(outcome.key),
            Disposition::Retry(due) => report.put_off.push((outcome.key, due)),
        });
        report
    }

    /// A batch could not be recorded. Whether there is more to do at once.
    fn failed(&mut self, now: Instant, batch: Batch<Outcome>, error: &Aborted) -> bool {
        let failed = self.queue.failed(now, batch, trouble(error.code));
        match failed.warning {
            Some(Warning::All) => pgrx::warning!("pg_net: could not store responses, and will try again: {error}"),
            Some(Warning::One) => pgrx::warning!("pg_net: could not store a response, and will try again: {error}"),
            None => {}
        }
        failed.more
    }

    /// What an outcome means for its request.
    fn disposition(&mut self, outcome: &Outcome, claimed: &ClaimedRows) -> Disposition {
        let Some(&Claimed { attempts, max_attempts, at_most_once, .. }) = claimed.get(outcome.key) else {
            return Disposition::Done;
        };
        // A row may hold any number. Fewer attempts than one are one.
        let (made, most) = (attempts.unsigned_abs(), u32::try_from(max_attempts).unwrap_or_default());
        let attempts = Attempts { made, most, has_left: at_most_once };
        let (retries, jitter) = (&self.retries, &mut self.jitter);
        disposition::disposition(
            attempts,
            || RetryPolicy::is_retryable(outcome),
            |Attempts { made, most, .. }| {
                let pause = retries.next_attempt(outcome, made, most, SystemTime::now(), jitter)?;
                Some(clock::after(clock::now(), pause))
            },
        )
    }
}

/// What an error says about what was to be recorded.
fn trouble(code: PgSqlErrorCode) -> Trouble {
    use PgSqlErrorCode::*;
    match code {
        ERRCODE_LOCK_NOT_AVAILABLE | ERRCODE_T_R_DEADLOCK_DETECTED => Trouble::Locked,
        _ if is_in_the_way(code) => Trouble::InTheWay,
        ERRCODE_DISK_FULL
        | ERRCODE_OUT_OF_MEMORY
        | ERRCODE_INSUFFICIENT_PRIVILEGE
        | ERRCODE_READ_ONLY_SQL_TRANSACTION
        | ERRCODE_IO_ERROR => Trouble::Server,
        _ if is_of_the_row(code as i32) => Trouble::Row,
        _ => Trouble::Other,
    }
}
