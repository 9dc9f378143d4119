//! Processes that store outcomes which were held: each by itself, with all the time that a trigger may take.
//!
//! They come when there is something to store, and go when nothing is due. There are two, so that what takes its time holds up only its
//! like: one gives each outcome a moment and leaves what takes longer to the other.

use std::time::Duration;

use engine::Key;
use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::{pg_guard, pg_sys};

use super::hold::{self, FAILURES};
use crate::pg::catalog::schema::{response, statement};
use crate::pg::catalog::{own_tables, relation, role};
use crate::pg::process::bgworker::end;
use crate::pg::process::{cancel, server};
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Row, Session};
use crate::pg::spi::transaction::{report_idle, transaction};
use crate::pg::storage::table::Passing;
use crate::pg::types::value::Value;
use crate::pg::types::{clock, text};
use crate::settings::{self, VERSION};
use crate::shmem::{self, waiters};
use crate::user_code::{Refusal, guarded, without_user_triggers};
use crate::worker::response_row::{self, OutcomeRow};
use crate::worker::session;

/// What one run of a user's code may take where others wait behind it.
const MOMENT: Duration = Duration::from_millis(100);

/// Which outcomes a process stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::worker) enum Lane {
    Quick,
    Slow,
}

impl Lane {
    /// How to start its process, for this database and as this role.
    pub(in crate::worker) fn builder(self) -> BackgroundWorkerBuilder {
        let (name, function) = match self {
            Self::Quick => ("pg_net held responses", "pg_net_quick"),
            Self::Slow => ("pg_net slow responses", "pg_net_slow"),
        };
        let role = role::of_session();
        let place = u64::from(server::my_database().to_u32()) | u64::from(role.to_u32()) << 32;
        crate::worker::builder(name, function).set_argument(Some(pg_sys::Datum::from(place)))
    }

    fn limit(self) -> Duration {
        let whole = settings::trigger_timeout();
        if self == Self::Quick { whole.min(MOMENT) } else { whole }
    }
}

#[pg_guard]
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn pg_net_quick(place: pg_sys::Datum) {
    run(Lane::Quick, place);
}

#[pg_guard]
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn pg_net_slow(place: pg_sys::Datum) {
    run(Lane::Slow, place);
}

fn run(lane: Lane, place: pg_sys::Datum) {
    cancel::install();
    cancel::end_by_sigterm();
    role::set_worker();
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
    session::reload_configuration();
    let place = place.value() as u64;
    let [database, role] = [place, place >> 32].map(|oid| Some(pg_sys::Oid::from(oid as u32)));
    BackgroundWorker::connect_worker_to_spi_by_oid(database, role);
    session::prepare_session(&format!("pg_net {VERSION} triggers"));
    // Who waits for a lock is given the time of a trigger, and no less.
    server::set_for_session(c"lock_timeout", c"0");
    let late = Late::new(lane);
    loop {
        pgrx::check_for_interrupts!();
        if BackgroundWorker::sighup_received() {
            session::reload_configuration();
        }
        if shmem::get().blocked.contains(server::my_database()) {
            break;
        }
        match transaction(c"storing a held response", |session| late.store_next(session)) {
            Ok(Some(Step::Stored(id))) => waiters::tell(server::my_database(), || vec![id]),
            Ok(Some(Step::Waits)) => {}
            Ok(Some(Step::IsSlow)) => {
                if let Some(slot) = shmem::get().serving(server::my_database()) {
                    slot.look_at_held();
                }
            }
            Ok(None) => break,
            Err(error) => {
                pgrx::warning!("pg_net: could not store a held response, and will try again: {error}");
                break;
            }
        }
    }
    report_idle();
    end(0);
}

/// What became of an outcome.
enum Step {
    Stored(i64),
    /// It has failed, and is tried again later.
    Waits,
    /// It is left to the other process, which the worker is to start.
    IsSlow,
}

struct Late {
    lane: Lane,
    next: Plan,
    insert: Plan,
    delete: Plan,
    fail: Plan,
}

impl Late {
    fn new(lane: Lane) -> Self {
        Self {
            lane,
            next: Plan::new(statement(format!(
                "select {}, row_key, failures from net._held_response \
                 where slow operator(pg_catalog.=) $1 and due operator(pg_catalog.<=) $2 \
                 order by due limit 1 for update skip locked",
                response::NAMES.join(", ")
            ))),
            insert: Plan::new(response_row::insert()),
            delete: Plan::new(c"delete from net._held_response where row_key operator(pg_catalog.=) $1"),
            fail: Plan::new(
                c"update net._held_response set failures = $2, slow = $3, due = $4, last_error = $5 \
                  where row_key operator(pg_catalog.=) $1",
            ),
        }
    }

    /// Deals with the first outcome that is due, if there is one.
    fn store_next(&self, session: &Session) -> Option<Step> {
        let table =
            relation::relation_in_net(own_tables::HELD_RESPONSES).filter(|&table| own_tables::contain(table))?;
        let row: Row<{ response::COUNT + 2 }> = {
            let _owner = OnTable::open(table)?;
            let is_slow = self.lane == Lane::Slow;
            let arguments = [Value::bool(is_slow), Value::timestamp(clock::now())];
            let rows = session.run(&self.next, Access::Write, arguments);
            if rows.count() == 0 {
                return None;
            }
            rows.row(0)
        };
        let held = Held {
            outcome: OutcomeRow::new(std::array::from_fn(|column| row.any(column))),
            id: row.int8(0).unwrap_or_default(),
            key: row.int8(response::COUNT).unwrap_or_default(),
            failures: row.int4(response::COUNT + 1).unwrap_or_default() + 1,
        };
        let Err(refusal) = self.insert(session, &held.outcome, true) else {
            return Some(self.stored(session, &held));
        };
        if refusal.is_cut && self.lane == Lane::Quick && settings::trigger_timeout() > self.lane.limit() {
            self.put_off(session, &held, held.failures - 1, true, None);
            return Some(Step::IsSlow);
        }
        if held.failures < FAILURES {
            self.put_off(session, &held, held.failures, self.lane == Lane::Slow, Some(&refusal));
            return Some(Step::Waits);
        }
        self.store_without_triggers(session, &held, &refusal);
        Some(self.stored(session, &held))
    }

    /// What it failed at is not asked any more; constraints are.
    fn store_without_triggers(&self, session: &Session, held: &Held, refusal: &Refusal) {
        let Held { id, failures, .. } = held;
        match self.insert(session, &held.outcome, false) {
            Ok(()) => pgrx::warning!(
                "{}",
                said(format!(
                    "pg_net: the response to request {id} is stored without triggers, which failed {failures} times: {refusal}"
                ))
            ),
            Err(constraint) => match self.insert(session, &unstorable(&held.outcome, &constraint), false) {
                Ok(()) => pgrx::warning!(
                    "{}",
                    said(format!("pg_net: the response to request {id} is stored as a failure: {constraint}"))
                ),
                Err(_) => pgrx::warning!(
                    "{}",
                    said(format!("pg_net: the response to request {id} cannot be stored at all: {constraint}"))
                ),
            },
        }
    }

    fn insert(&self, session: &Session, row: &OutcomeRow, with_triggers: bool) -> Result<(), Refusal> {
        let responses = OnTable::needed(own_tables::RESPONSES);
        let insert = || {
            session.run(&self.insert, Access::Write, response_row::columns(std::slice::from_ref(row)));
            responses.run_deferred_constraints();
        };
        let limit = if with_triggers { self.lane.limit() } else { settings::trigger_timeout() };
        if with_triggers {
            return guarded(limit, insert);
        }
        // Below rules as well, where nothing else is to be asked.
        let below =
            guarded(limit, || response_row::store_at_once(session, std::slice::from_ref(row), Passing::UserCode))?;
        if below { Ok(()) } else { guarded(limit, || without_user_triggers(insert)) }
    }

    fn stored(&self, session: &Session, held: &Held) -> Step {
        let _owner = OnTable::needed(own_tables::HELD_RESPONSES);
        session.run(&self.delete, Access::Write, [Value::int8(held.key)]);
        Step::Stored(held.id)
    }

    fn put_off(&self, session: &Session, held: &Held, failures: i32, is_slow: bool, refusal: Option<&Refusal>) {
        let _owner = OnTable::needed(own_tables::HELD_RESPONSES);
        let pause = if refusal.is_some() { hold::pause(failures) } else { Duration::ZERO };
        let arguments = [
            Value::int8(held.key),
            Value::int4(failures),
            Value::bool(is_slow),
            Value::timestamp(clock::after(clock::now(), pause)),
            Value::text(refusal.map(Refusal::to_string).as_deref()),
        ];
        session.run(&self.fail, Access::Write, arguments);
    }
}

/// An outcome, which of them, and how often it will have failed if it fails now.
struct Held {
    outcome: OutcomeRow,
    id: i64,
    key: Key,
    failures: i32,
}

/// The failure that takes the place of a response which the table does not take: of the request what was asked, of the reply nothing.
fn unstorable(outcome: &OutcomeRow, constraint: &Refusal) -> OutcomeRow {
    OutcomeRow {
        id: outcome.id,
        requested_by: outcome.requested_by,
        method: outcome.method,
        url: outcome.url,
        attempts: outcome.attempts,
        timed_out: Value::bool(false),
        error_msg: Value::text("Response could not be stored"),
        error_kind: Value::text("unstorable"),
        error_detail: Value::text(&*constraint.reason()),
        ..OutcomeRow::nulls()
    }
}

fn said(message: String) -> String {
    text::for_message(message)
}
