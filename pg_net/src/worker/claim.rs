//! Claiming: reading the queue in the order of its row keys, as far as there is room.
//!
//! A claim writes nothing. The rows stay in the queue until their outcome is recorded, and the window of claimed keys in
//! this process keeps a row from being sent twice. It costs the same however long the queue is: a cursor starts each read
//! behind what has been read, past the rows that are done and not yet vacuumed. What commits bring from below the cursor is
//! found by the notes that they leave.

mod at_most_once;
mod batch;
mod database_identity;
mod queue_row;
mod reading;
pub(super) mod removed;
mod schedule;
mod sender;
mod taking_back;
mod withheld;

use std::time::{Duration, Instant};

use engine::{Bounds, Failure, Flow, Key, LastTarget, OriginEvents, Outcome, Policy};
use pg_net_core::backoff::Backoff;

use super::claimed::ClaimedRows;
use super::known_tables::{Found, KnownTables};
use crate::pg::process::obstacle::obstacle;
use crate::pg::spi::plan::{Plan, Session};
use crate::pg::spi::transaction::{Aborted, transaction};
use crate::pg::types::clock::Timestamp;
use crate::tables::dump;
use crate::tables::egress_rules::Rules;
use crate::{mutants, settings, shmem};

use at_most_once::AtMostOnce;
pub(super) use batch::Batch;
use database_identity::OwnIdentity;
use schedule::Schedule;
pub(super) use sender::Sender;
use withheld::{Withdrawals, Withheld};

/// How many requests are claimed for each that may be in flight. What is claimed beyond stands ready in the engine, so that
/// a request can start the moment another one ends.
const AHEAD: usize = 2;
/// How long a busy worker goes on between two looks past the rows of a crowded flow.
const LOOK_AHEAD: Duration = Duration::from_millis(10);

pub(super) struct Claim {
    window: ClaimedRows,
    /// Every row up to here has been met.
    cursor: Key,
    /// A range below the cursor where commits have brought rows since.
    behind: Option<(Key, Key)>,
    /// Whether there may be rows beyond the cursor.
    more: bool,
    /// Whose rows the last read beyond the cursor had to park, though they go out soon: there is likely more of the same ahead.
    crowded: Option<Flow>,
    schedule: Schedule,
    withheld: Withheld,
    /// When to look past the rows of a crowded flow even if there is other work to do.
    look_ahead_at: Instant,
    backoff: Backoff,
    targets: LastTarget,
    identity: OwnIdentity,
    rules: Rules,
    at_most_once_rows: AtMostOnce,
    /// How often the queue had been emptied when it was read last.
    emptied: u64,
    /// Whether the engine has requests of a queue that is gone.
    has_orphans: bool,
    plans: Plans,
    /// Whether the tables were found to be others.
    is_new: bool,
}

struct Plans {
    range: Plan,
    keys: Plan,
}

impl Claim {
    pub(super) fn new() -> Self {
        Self {
            window: ClaimedRows::new(bounds(&settings::policy())),
            cursor: Key::MIN,
            behind: None,
            more: true,
            crowded: None,
            schedule: Schedule::new(),
            withheld: Withheld::new(),
            look_ahead_at: Instant::now(),
            backoff: Backoff::default(),
            targets: LastTarget::default(),
            identity: OwnIdentity::new(),
            rules: Rules::new(),
            at_most_once_rows: AtMostOnce::new(),
            emptied: shmem::get().my_slot().removals.emptied(),
            has_orphans: false,
            plans: Plans {
                range: Plan::new(queue_row::select!("where row_key >= $1 and row_key <= $2 order by row_key limit $3")),
                keys: Plan::new(queue_row::select!("where row_key = any ($1)")),
            },
            is_new: false,
        }
    }

    pub(super) fn set_policy(&mut self, policy: &Policy) {
        self.window.set_bounds(bounds(policy));
    }

    /// Whether the tables were found to be others, since the last call.
    pub(super) fn take_is_new(&mut self) -> bool {
        std::mem::take(&mut self.is_new)
    }

    /// The rows that are claimed and whose outcomes are not recorded.
    pub(super) fn rows(&self) -> &ClaimedRows {
        &self.window
    }

    /// The outcome of a claimed row is recorded, or the row is gone.
    pub(super) fn finish(&mut self, key: Key) {
        self.window.finish(key);
    }

    /// A claimed row has gone back to the queue, to be sent again at a time.
    pub(super) fn put_off(&mut self, key: Key, due: Timestamp) {
        self.window.finish(key);
        self.schedule.add(due);
    }

    /// The engine says how origins are doing, and gives back rows of those that are deferred: they stay in the queue until then.
    pub(super) fn hear(&mut self, news: OriginEvents) {
        for state in news.states {
            self.window.set_health(&state.origin, state.health);
        }
        for (origin, responsiveness) in news.responsiveness {
            self.window.set_responsiveness(&origin, responsiveness);
        }
        for key in news.sent_back {
            self.window.give_back(key);
        }
    }

    /// A commit says that there are rows to read.
    pub(super) fn look(&mut self) {
        self.more = true;
    }

    /// Nothing that is claimed will have an outcome, and there is no row left to record one for: the queue is another one. To be
    /// followed by [`drop_orphans`](Self::drop_orphans).
    pub(super) fn start_over(&mut self) {
        drop(self.window.clear());
        self.has_orphans = true;
        self.read_again();
    }

    /// Nothing that is claimed will have an outcome: what is still in the queue is read again. Gives the outcomes of what is
    /// not, as it is sent at most once; they are still to be recorded.
    pub(super) fn abandon(&mut self) -> Vec<Outcome> {
        self.window.forget_health();
        let lost: Vec<_> = self.window.clear().filter(|(_, claimed)| claimed.at_most_once).collect();
        self.read_again();
        lost.into_iter()
            .map(|(key, claimed)| {
                self.window.claim(key, None, 0, claimed);
                Outcome { key, result: Err(Failure::abandoned()), elapsed: Duration::ZERO }
            })
            .collect()
    }

    /// The queue is read again from its start; what is claimed stays claimed.
    fn read_again(&mut self) {
        self.window.forget_parked();
        self.cursor = Key::MIN;
        self.behind = None;
        self.at_most_once_rows.clear();
        self.more = true;
        self.crowded = None;
        self.schedule.start_over();
        self.withheld.clear();
    }

    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        if self.has_work() {
            // At once, where it has come up since the last look: a row has fallen due.
            let at = if self.can_claim(false) { now } else { self.look_ahead_at };
            return Some(self.backoff.deadline().map_or(at, |until| until.max(at)));
        }
        let due = self.schedule.wait().map(|wait| now + wait);
        due.into_iter().chain(self.at_most_once_rows.deadline()).min().filter(|_| self.window.room() > 0)
    }

    /// Whether something is in the way of rows that will be tried again: the last attempt to claim failed, or their origin is
    /// in trouble.
    pub(super) fn is_hindered(&self) -> bool {
        self.backoff.deadline().is_some() || self.window.has_parked()
    }

    /// Whether there is, or may be, something to claim and room for it.
    pub(super) fn has_work(&self) -> bool {
        self.can_claim(true)
    }

    /// The same, where what lies behind the rows of a crowded flow counts only if it is looked for.
    fn can_claim(&self, look_ahead: bool) -> bool {
        let come_back = || self.window.can_resume() || self.schedule.is_due() || self.withheld.is_released();
        let waits = || self.behind.is_some() || self.room_ahead(look_ahead) > 0 || come_back();
        self.window.room() > 0 && waits()
    }

    /// How many rows may be read beyond the cursor.
    fn room_ahead(&self, look_ahead: bool) -> usize {
        match &self.crowded {
            _ if !self.more => 0,
            Some(flow) if !look_ahead => self.window.room_for(flow),
            _ => self.window.room(),
        }
    }

    /// Claims one batch, to be sent.
    ///
    /// `busy` says that outcomes are coming in: then the rows of a crowded flow are read as it gets room, and what lies
    /// behind them is looked for now and then only. Reading them twice would cost more than it brings.
    pub(super) fn work(&mut self, now: Instant, busy: bool, tables: &mut KnownTables) -> Batch {
        if let Some(range) = self.at_most_once_rows.due(now) {
            self.note_behind(range);
        }
        let look_ahead = !busy || self.look_ahead_at <= now;
        if !self.can_claim(look_ahead) || !self.backoff.is_over(now) {
            return Batch::default();
        }
        self.take_pending_keys();
        let withdrawals = self.withheld.look();
        let mut batch = Batch::default();
        let claimed = transaction(c"claiming requests", |session| {
            self.read(session, tables, look_ahead, &withdrawals, &mut batch);
            if mutants::deletes_at_claim() {
                self.at_most_once_rows.delete(session, &batch.claimed);
            }
            mutants::read_freed();
        });
        if let Err(error) = claimed {
            self.give_back(&batch, &error, now);
            return Batch::default();
        }
        self.backoff.succeed();
        if look_ahead {
            self.look_ahead_at = now + LOOK_AHEAD;
        }
        mutants::record_before_send(&batch.requests, &mut batch.failures);
        batch.more = !batch.failures.is_empty() || self.can_claim(!busy);
        batch
    }

    fn take_pending_keys(&mut self) {
        let pending = &shmem::get().my_slot().pending_keys;
        if let Some(due) = pending.take_due() {
            self.schedule.add(due);
        }
        let Some((lowest, highest)) = pending.take() else { return };
        self.more |= highest > self.cursor;
        if lowest <= self.cursor {
            self.note_behind((lowest, highest.min(self.cursor)));
        }
    }

    /// There may be rows in a range below the cursor.
    fn note_behind(&mut self, (lowest, highest): (Key, Key)) {
        let (low, high) = self.behind.unwrap_or((lowest, highest));
        self.behind = Some((low.min(lowest), high.max(highest)));
    }

    fn give_back(&mut self, batch: &Batch, error: &Aborted, now: Instant) {
        pgrx::warning!("pg_net: could not read the queue, and will try again: {}", error);
        for &key in &batch.claimed {
            self.window.finish(key);
        }
        self.read_again();
        self.backoff.fail(now, obstacle(error.code));
    }

    fn read(
        &mut self,
        session: &Session,
        tables: &mut KnownTables,
        look_ahead: bool,
        withdrawals: &Withdrawals,
        batch: &mut Batch,
    ) {
        let _owner = match tables.find() {
            Found::Same(owner) => owner,
            Found::New(owner) => {
                self.is_new = true;
                self.start_over();
                self.identity.adopt_tables(session);
                owner
            }
            Found::Nothing => {
                self.start_over();
                self.more = false;
                self.schedule.clear();
                return;
            }
        };
        tables.wait_and_look();
        if shmem::get().my_slot().removals.emptied() != self.emptied {
            // What was claimed before is to be told from what comes now.
            return;
        }
        // Not before: what commits while the queue is waited for counts for the requests behind it.
        if self.rules.are_stale() {
            self.rules.read(session);
            dump::mend(session);
        }
        let most = settings::batch_size();
        let parked = self.window.resume(most);
        self.read_keys(session, parked, true, batch);
        let released = self.withheld.take_released(most.min(self.window.room()));
        self.read_keys(session, released, false, batch);
        if self.schedule.is_due() {
            self.read_due(session, most, batch);
        }
        if let Some((lowest, highest)) = self.behind {
            let end = self.read_range(session, lowest, highest, most, batch);
            self.behind = end.map(|met| (met + 1, highest)).filter(|(lowest, highest)| lowest <= highest);
        }
        self.read_on(session, most, look_ahead, batch);
        self.hold_back(session, withdrawals, batch);
        for key in self.at_most_once_rows.take(session, std::mem::take(&mut batch.to_take_out)) {
            self.window.finish(key);
            batch.let_go(key);
        }
    }

    /// Lets go of what a transaction is taking back.
    fn hold_back(&mut self, session: &Session, withdrawals: &Withdrawals, batch: &mut Batch) {
        for key in self.withheld.hold(session, withdrawals, &batch.claimed) {
            self.window.finish(key);
            batch.let_go(key);
        }
    }
}

fn bounds(policy: &Policy) -> Bounds {
    Bounds {
        // A tenant gets half of rows and bytes.
        total: policy.max_in_flight * AHEAD * 2,
        per_flow: policy.max_in_flight_per_origin * AHEAD,
        per_flow_untried: policy.max_in_flight_untried(),
        bytes: policy.max_in_flight_bytes,
    }
}
