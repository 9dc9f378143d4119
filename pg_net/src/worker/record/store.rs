//! What recording writes: one batch of outcomes, within one transaction. Each statement is about one table, and runs as its owner.

use std::collections::HashSet;

use engine::{Key, Outcome};
use pg_net_core::disposition::Disposition;

use super::dead_letter::DeadLetterRows;
use crate::pg::catalog::own_tables;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::storage::table::Passing;
use crate::pg::types::array::{self, Array, Element};
use crate::pg::types::value::Value;
use crate::user_code::{guarded, without_user_triggers};
use crate::worker::claimed::Claimed;
use crate::worker::held::hold::{Held, Hold, Patience};
use crate::worker::known_tables::{Found, KnownTables};
use crate::worker::leave_queue::{BUDGET, Leave, persist};
use crate::worker::response_row::{self, OutcomeRow, Rows};

/// Outcomes that one transaction records where code of users runs for each.
const MOST_WITH_CODE: usize = 16;

/// An outcome, what is remembered of its request, and what it means for it.
pub(super) struct Entry<'a> {
    pub(super) outcome: &'a Outcome,
    pub(super) claimed: &'a Claimed,
    pub(super) disposition: Disposition,
}

/// How the next batch is written.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Care {
    /// Leaves rows alone that another transaction holds locked. Otherwise the batch waits for them, and fails when the lock_timeout is
    /// over. To look for them costs as much as everything else, and nearly always there are none.
    pub(super) skip_locked: bool,
    /// Stores each response by itself, and holds one that a constraint refuses.
    pub(super) one_by_one: bool,
}

pub(super) struct Store {
    leave: Leave,
    insert: Plan,
    put_off: Plan,
    dead_letter: DeadLetterRows,
    hold: Hold,
    patience: Patience,
    locked: Plan,
}

pub(super) enum Stored {
    Some(Except),
    /// The tables are gone, or others: the batch belongs to none.
    OtherTables,
}

/// What was not recorded, or not as a response.
#[derive(Debug, Default)]
pub(super) struct Except {
    /// Another transaction holds these rows locked.
    pub(super) locked: HashSet<Key>,
    /// These are left to the next batch.
    pub(super) left: HashSet<Key>,
    /// How many outcomes are held.
    pub(super) held: usize,
}

impl Store {
    pub(super) fn new() -> Self {
        Self {
            leave: Leave::new(),
            insert: Plan::new(response_row::insert()),
            put_off: Plan::new(
                c"update net.http_request_queue q set attempts = r.attempts, due = r.due \
                  from unnest($1, $2, $3) as r (row_key, attempts, due) \
                  where q.row_key operator(pg_catalog.=) r.row_key",
            ),
            dead_letter: DeadLetterRows::new(),
            hold: Hold::new(),
            patience: Patience::new(),
            locked: Plan::new(
                c"select row_key from net.http_request_queue \
                  where row_key operator(pg_catalog.=) any ($1) and row_key operator(pg_catalog.<>) all (array( \
                      select row_key from net.http_request_queue \
                      where row_key operator(pg_catalog.=) any ($1) for update skip locked))",
            ),
        }
    }

    /// Writes the batch. A row that was deleted meanwhile gets no response.
    pub(super) fn run(
        &mut self,
        session: &Session,
        tables: &mut KnownTables,
        mut batch: Vec<Entry>,
        care: Care,
    ) -> Stored {
        let Found::Same(_) = tables.find() else {
            tables.forget();
            return Stored::OtherTables;
        };
        let mut except = Except::default();
        let mut rows = Vec::with_capacity(batch.len());
        {
            let Some(queue) = OnTable::named(own_tables::QUEUE) else {
                tables.forget();
                return Stored::OtherTables;
            };
            if queue.has_code() || OnTable::named(own_tables::RESPONSES).is_some_and(|table| table.has_code()) {
                let left = batch.split_off(batch.len().min(MOST_WITH_CODE));
                except.left = left.iter().map(|entry| entry.outcome.key).collect();
            }
            if care.skip_locked {
                except.locked = self.locked(session, &batch);
                batch.retain(|entry| !except.locked.contains(&entry.outcome.key));
            }
            self.leave_queue(session, &queue, &batch, &mut rows);
        }
        if !rows.is_empty() {
            except.held = self.store(session, rows, care);
        }
        Stored::Some(except)
    }

    fn locked(&self, session: &Session, batch: &[Entry]) -> HashSet<Key> {
        let keys = array::int8s(batch.iter().map(|entry| entry.outcome.key));
        let locked = session.run(&self.locked, Access::Write, [keys]);
        (0..locked.count()).filter_map(|row| locked.row::<1>(row).int8(0)).collect()
    }

    /// Has the rows of the batch out of the queue, or wait there for another attempt, and gives the responses of those that are done.
    fn leave_queue(&self, session: &Session, queue: &OnTable, batch: &[Entry], rows: &mut Vec<(Key, OutcomeRow)>) {
        // Rare, and so not even looked for row by row on the common path.
        let mut refused = HashSet::new();
        if batch.iter().any(|entry| entry.disposition != Disposition::Done) {
            refused = self.put_off(session, queue, batch);
            self.dead_letter.add(session, &self.leave, batch, rows);
        }
        let is_done = |entry: &&Entry| entry.disposition == Disposition::Done || refused.contains(&entry.outcome.key);
        let done = || batch.iter().filter(is_done);
        // Those that are sent at most once have left the queue before.
        let keys: Vec<Key> =
            done().filter(|entry| !entry.claimed.at_most_once).map(|entry| entry.outcome.key).collect();
        let taken = if keys.is_empty() { HashSet::new() } else { self.leave.take(session, queue, &keys) };
        let all = taken.len() == keys.len();
        let mut made = Rows::default();
        for entry in done() {
            if all || entry.claimed.at_most_once || taken.contains(&entry.outcome.key) {
                rows.push((entry.outcome.key, made.row(entry.outcome, entry.claimed)));
            }
        }
    }

    /// Has rows wait for another attempt. Gives those that the queue's constraints do not let: their requests are done.
    fn put_off(&self, session: &Session, queue: &OnTable, batch: &[Entry]) -> HashSet<Key> {
        let put_off: Vec<&Entry> =
            batch.iter().filter(|entry| matches!(entry.disposition, Disposition::Retry(_))).collect();
        if !queue.has_code() {
            if !put_off.is_empty() {
                self.update(session, &put_off);
            }
            return HashSet::new();
        }
        let mut refused = HashSet::new();
        for entry in put_off {
            let update = || {
                self.update(session, &[entry]);
                queue.run_deferred_constraints();
            };
            let Err(refusal) = persist(update) else { continue };
            pgrx::warning!("pg_net: a request waits for its next attempt without triggers, which failed: {refusal}");
            if guarded(BUDGET, || without_user_triggers(update)).is_err() {
                refused.insert(entry.outcome.key);
            }
        }
        refused
    }

    fn update(&self, session: &Session, entries: &[&Entry]) {
        let [mut keys, mut attempts, mut dues] =
            [Element::Int8, Element::Int4, Element::Timestamp].map(|element| Array::with_capacity(element, 0));
        for entry in entries {
            if let Disposition::Retry(due) = entry.disposition {
                keys.push(Value::int8(entry.outcome.key));
                attempts.push(Value::int4(entry.claimed.attempts));
                dues.push(Value::timestamp(due));
            }
        }
        session.run(&self.put_off, Access::Write, [keys, attempts, dues].map(Array::build));
    }

    /// Stores responses. How many are held instead.
    fn store(&mut self, session: &Session, rows: Vec<(Key, OutcomeRow)>, care: Care) -> usize {
        let responses = OnTable::needed(own_tables::RESPONSES);
        let has_code = responses.has_code();
        if !has_code && !care.one_by_one {
            let rows: Vec<OutcomeRow> = rows.into_iter().map(|(_, row)| row).collect();
            if !response_row::store_at_once(session, &rows, Passing::Nothing) {
                self.insert(session, &rows);
            }
            return 0;
        }
        let mut held = Vec::new();
        for (key, row) in rows {
            let budget = self.patience.budget();
            let insert = || {
                self.insert(session, &[row]);
                responses.run_deferred_constraints();
            };
            match guarded(budget, insert) {
                Ok(()) => {}
                Err(refusal) if !has_code && !refusal.is_of_the_row() => refusal.rethrow(),
                Err(refusal) if refusal.is_cut => {
                    self.patience.cut();
                    held.push(Held { key, row, failure: None, is_slow: budget == BUDGET });
                }
                Err(refusal) => held.push(Held { key, row, failure: Some(refusal.to_string()), is_slow: false }),
            }
        }
        drop(responses);
        self.hold.keep(session, &held);
        held.len()
    }

    fn insert(&self, session: &Session, rows: &[OutcomeRow]) {
        session.run(&self.insert, Access::Write, response_row::columns(rows));
    }
}
