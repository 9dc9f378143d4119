//! Claiming: reading the queue in the order of its row keys, as far as there is room.
//!
//! A claim writes nothing. The rows stay in the queue until their outcome is recorded, and the window of claimed keys in
//! this process keeps a row from being sent twice. It costs the same however long the queue is: a cursor starts each read
//! behind what has been read, past the rows that are done and not yet vacuumed. What commits bring from below the cursor is
//! found by the notes that they leave.

use std::time::{Duration, Instant};

use bytes::Bytes;
use engine::{Bounds, Failure, Key, LastTarget, Origin, Outcome, Policy, Request, Target, Verdict, Window};
use pgrx::pg_sys;

use super::backoff::Backoff;
use super::record::Record;
use super::sender::Sender;
use super::tables::{Found, Tables};
use crate::pg::plan::{Access, Plan, Row, Session};
use crate::pg::transaction::{Aborted, transaction};
use crate::pg::{array, text};
use crate::{mutants, settings, shared};

/// How many requests are claimed for each that may be in flight. What is claimed beyond stands ready in the engine, so that
/// a request can start the moment another one ends.
const AHEAD: usize = 2;
/// How long a busy worker goes on between two looks past the rows of a crowded origin.
const LOOK_AHEAD: Duration = Duration::from_millis(10);

/// What is remembered of a claimed row until its outcome is recorded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    pub(super) id: i64,
    pub(super) by: pg_sys::Oid,
}

pub(super) struct Claim {
    window: Window<Asked>,
    /// Every row up to here has been met.
    cursor: Key,
    /// A range below the cursor where commits have brought rows since.
    behind: Option<(Key, Key)>,
    /// Whether there may be rows beyond the cursor.
    more: bool,
    /// Whose rows the last read beyond the cursor had to park: there is likely more of the same ahead.
    crowded: Option<Origin>,
    /// When to look past the rows of a crowded origin even if there is other work to do.
    look_ahead_at: Instant,
    backoff: Backoff,
    targets: LastTarget,
    plans: Plans,
}

struct Plans {
    range: Plan,
    keys: Plan,
}

impl Claim {
    pub(super) fn new() -> Self {
        Self {
            window: Window::new(bounds(&settings::policy())),
            cursor: Key::MIN,
            behind: None,
            more: true,
            crowded: None,
            look_ahead_at: Instant::now(),
            backoff: Backoff::default(),
            targets: LastTarget::default(),
            plans: Plans {
                range: Plan::new(
                    c"select row_key, id, requested_by, method::text, url, headers, body, timeout_milliseconds \
                      from net.http_request_queue where row_key >= $1 and row_key <= $2 order by row_key limit $3",
                ),
                keys: Plan::new(
                    c"select row_key, id, requested_by, method::text, url, headers, body, timeout_milliseconds \
                      from net.http_request_queue where row_key = any ($1)",
                ),
            },
        }
    }

    pub(super) fn set_policy(&mut self, policy: &Policy) {
        self.window.set_bounds(bounds(policy));
    }

    /// What is remembered of a claimed row.
    pub(super) fn asked(&self, key: Key) -> Option<Asked> {
        self.window.get(key).copied()
    }

    /// The outcome of a claimed row is recorded, or the row is gone.
    pub(super) fn finish(&mut self, key: Key) {
        self.window.finish(key);
    }

    /// A commit says that there are rows to read.
    pub(super) fn look(&mut self) {
        self.more = true;
    }

    /// Nothing that is claimed will have an outcome: the queue is read again from its start.
    pub(super) fn start_over(&mut self) {
        self.window.clear();
        self.read_again();
    }

    /// The queue is read again from its start; what is claimed stays claimed.
    fn read_again(&mut self) {
        self.window.forget_parked();
        self.cursor = Key::MIN;
        self.behind = None;
        self.more = true;
        self.crowded = None;
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.backoff.deadline().filter(|_| self.has_work())
    }

    fn has_work(&self) -> bool {
        self.window.room() > 0 && (self.more || self.behind.is_some() || self.window.can_resume())
    }

    /// Claims one batch and hands it to the engine. Whether there is more to do at once.
    ///
    /// `busy` says that outcomes are coming in: then the rows of a crowded origin are read as it gets room, and what lies
    /// behind them is looked for now and then only. Reading them twice would cost more than it brings.
    pub(super) fn work(
        &mut self,
        now: Instant,
        busy: bool,
        tables: &mut Tables,
        record: &mut Record,
        sender: &Sender,
    ) -> bool {
        if !self.has_work() || !self.backoff.is_over(now) {
            return false;
        }
        self.take_notes();
        let mut batch = Batch::default();
        let look_ahead = !busy || self.look_ahead_at <= now;
        let claimed = transaction(c"claiming requests", |session| {
            self.read(session, tables, look_ahead, &mut batch);
            mutants::delete_at_claim(session, &batch.claimed);
        });
        match claimed {
            Ok(()) => {
                self.backoff.succeed();
                if look_ahead {
                    self.look_ahead_at = now + LOOK_AHEAD;
                }
            }
            Err(error) => {
                self.give_back(&batch, &error, now);
                return false;
            }
        }
        mutants::record_before_send(&batch.requests, &mut batch.failures);
        let failed = !batch.failures.is_empty();
        record.inbox().append(&mut batch.failures);
        // That the engine has ended is dealt with in the next round, as is the recording of what cannot be sent.
        let refused = !batch.requests.is_empty() && !sender.submit(batch.requests);
        refused || failed || self.has_work()
    }

    fn take_notes(&mut self) {
        let Some((lowest, highest)) = shared::get().my_slot().notes.take() else { return };
        self.more |= highest > self.cursor;
        if lowest <= self.cursor {
            let (lowest, highest) = (lowest, highest.min(self.cursor));
            self.behind = Some(match self.behind {
                None => (lowest, highest),
                Some((low, high)) => (low.min(lowest), high.max(highest)),
            });
        }
    }

    fn give_back(&mut self, batch: &Batch, error: &Aborted, now: Instant) {
        pgrx::warning!("pg_net: could not read the queue, and will try again: {}", error);
        for &key in &batch.claimed {
            self.window.finish(key);
        }
        self.read_again();
        self.backoff.fail(now);
    }

    fn read(&mut self, session: &Session, tables: &mut Tables, look_ahead: bool, batch: &mut Batch) {
        let _owner = match tables.find() {
            Found::Same(owner) => owner,
            Found::New(owner) => {
                self.start_over();
                owner
            }
            Found::Nothing => {
                self.start_over();
                self.more = false;
                return;
            }
        };
        let most = settings::batch_size();
        let parked = self.window.resume(most);
        if !parked.is_empty() {
            let keys = array::int8s(parked.iter().copied());
            let rows = session.run(&self.plans.keys, Access::Read, [pg_sys::INT8ARRAYOID], [Some(keys)]);
            for row in 0..rows.count() {
                self.meet(&rows.row(row), true, batch);
            }
        }
        if let Some((lowest, highest)) = self.behind {
            let end = self.read_range(session, lowest, highest, most, batch);
            self.behind = end.map(|met| (met + 1, highest)).filter(|(lowest, highest)| lowest <= highest);
        }
        if self.behind.is_none() && self.more {
            if look_ahead {
                self.crowded = None;
            }
            let most = self.crowded.as_ref().map_or(most, |origin| self.window.room_for(origin).min(most));
            if most == 0 {
                return;
            }
            match self.read_range(session, self.cursor.saturating_add(1), Key::MAX, most, batch) {
                Some(met) => self.cursor = met,
                None => self.more = false,
            }
        }
    }

    /// Reads rows of a range in order, no more than there is room for. Where it stopped, if the range may hold more.
    fn read_range(
        &mut self,
        session: &Session,
        lowest: Key,
        highest: Key,
        most: usize,
        batch: &mut Batch,
    ) -> Option<Key> {
        let limit = most.min(self.window.room());
        let rows = session.run(
            &self.plans.range,
            Access::Read,
            [pg_sys::INT8OID, pg_sys::INT8OID, pg_sys::INT8OID],
            [Some(lowest.into()), Some(highest.into()), Some((limit as i64).into())],
        );
        let mut met = lowest - 1;
        for row in 0..rows.count() {
            met = self.meet(&rows.row(row), false, batch).max(met);
        }
        // The cursor passes what was met even where the range is exhausted.
        self.cursor = self.cursor.max(met);
        (rows.count() == limit).then_some(met)
    }

    /// Deals with one row; gives its key.
    fn meet(&mut self, row: &QueueRow, was_parked: bool, batch: &mut Batch) -> Key {
        let key = row.int8(0).unwrap_or_default();
        let asked = Asked { id: row.int8(1).unwrap_or_default(), by: row.oid(2).unwrap_or_default() };
        let target = string(row, 4)
            .and_then(|url| self.targets.parse(&url).map_err(|error| Failure::invalid(error.to_string())));
        let claimed = match &target {
            Ok(target) if was_parked => self.window.claim(key, Some(target.origin()), asked),
            Ok(target) => match self.window.offer(key, target.origin(), || asked) {
                Verdict::Claim => true,
                Verdict::Parked => {
                    self.crowded = Some(target.origin().clone());
                    false
                }
                Verdict::Known => false,
            },
            Err(_) => self.window.claim(key, None, asked),
        };
        if claimed {
            batch.claimed.push(key);
            match target.and_then(|target| request(row, key, target)) {
                Ok(request) => batch.requests.push(request),
                Err(failure) => {
                    batch.failures.push(Outcome { key, result: Err(failure), elapsed: Duration::ZERO });
                }
            }
        }
        key
    }
}

/// A row as the statements of [`Plans`] give it.
type QueueRow<'s> = Row<'s, 8>;

/// What one claim has read.
#[derive(Default)]
struct Batch {
    claimed: Vec<Key>,
    requests: Vec<Request>,
    failures: Vec<Outcome>,
}

fn bounds(policy: &Policy) -> Bounds {
    Bounds { total: policy.max_in_flight * AHEAD, per_origin: policy.max_in_flight_per_origin * AHEAD }
}

fn request(row: &QueueRow, key: Key, target: Target) -> Result<Request, Failure> {
    let method = string(row, 3)?;
    let body = row.bytes(6).map(Bytes::copy_from_slice).unwrap_or_default();
    let milliseconds = u64::try_from(row.int4(7).unwrap_or_default())
        .ok()
        .filter(|&milliseconds| milliseconds > 0)
        .ok_or_else(|| Failure::invalid("timeout_milliseconds must be above 0"))?;
    let mut request = Request::new(key, &method, target, body, Duration::from_millis(milliseconds))?;
    if let Some(headers) = row.jsonb(5) {
        if !headers.is_object() {
            return Err(Failure::invalid("headers must be a JSON object"));
        }
        headers.each(|name, value| match value {
            Some(value) => request.push_header(name, value).map_err(Wrong::Field),
            None => Ok(()),
        })?;
    }
    Ok(request)
}

/// A text column, which every row that the table admits has.
fn string<'r>(row: &QueueRow<'r>, column: usize) -> Result<std::borrow::Cow<'r, str>, Failure> {
    let bytes = row.bytes(column).unwrap_or_default();
    text::from_server(bytes).map_err(|error| Failure::invalid(error.message()))
}

/// What can be wrong with a row's headers.
enum Wrong {
    Field(Failure),
    Text(crate::pg::SqlError),
}

impl From<crate::pg::SqlError> for Wrong {
    fn from(error: crate::pg::SqlError) -> Self {
        Self::Text(error)
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Field(failure) => failure,
            Wrong::Text(error) => Self::invalid(error.message()),
        }
    }
}
