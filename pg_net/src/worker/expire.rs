//! Expiry: responses older than `pg_net.ttl` are removed, also when nothing else happens.
//!
//! No polling: the next look is when the oldest response expires, and at least a second after the one before, so that under
//! load many go at once.

use std::time::{Duration, Instant};

use super::known_tables::{Found, KnownTables};
use super::leave_queue::BUDGET;
use crate::pg::catalog::own_tables;
use crate::pg::process::obstacle::obstacle;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::spi::time_limit::TimeLimit;
use crate::pg::spi::transaction::transaction;
use crate::pg::types::value::Value;
use crate::settings;
use pg_net_core::backoff::Backoff;

/// Responses that one transaction removes.
const MOST: i64 = 2000;
/// The same where code of users runs for each.
const MOST_WITH_CODE: i64 = 64;
const PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Expire {
    /// When to look next; `None` while there is no response.
    due: Option<Instant>,
    backoff: Backoff,
    delete: Plan,
    next: Plan,
}

impl Expire {
    pub(super) fn new() -> Self {
        Self {
            due: Some(Instant::now()),
            backoff: Backoff::default(),
            delete: Plan::new(
                c"delete from net._http_response where ctid operator(pg_catalog.=) any (array( \
                      select ctid from net._http_response \
                      where created operator(pg_catalog.<) (pg_catalog.now() operator(pg_catalog.-) $1::pg_catalog.interval) \
                      order by created limit $2 for update skip locked))",
            ),
            next: Plan::new(
                c"select (extract(epoch from (pg_catalog.min(created) operator(pg_catalog.+) $1::pg_catalog.interval) \
                              operator(pg_catalog.-) pg_catalog.now()) operator(pg_catalog.*) 1000)::pg_catalog.int8 \
                  from net._http_response",
            ),
        }
    }

    /// The configuration was read again, and perhaps another ttl with it.
    pub(super) fn reload(&mut self) {
        self.due = Some(Instant::now());
    }

    /// Responses have been recorded: the first one of all sets the timer.
    pub(super) fn after_record(&mut self, now: Instant) {
        self.due.get_or_insert(now);
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.map(|due| self.backoff.deadline().map_or(due, |backoff| backoff.max(due)))
    }

    /// Removes what has expired, if it is time to look. Whether there is more to remove at once.
    pub(super) fn work(&mut self, now: Instant, tables: &mut KnownTables) -> bool {
        if self.deadline().is_none_or(|deadline| deadline > now) {
            return false;
        }
        match transaction(c"removing expired responses", |session| self.remove(session, tables)) {
            Ok(next) => {
                self.backoff.succeed();
                self.due = next.map(|next| now + next);
                self.due.is_some_and(|due| due <= now)
            }
            Err(error) => {
                pgrx::warning!("pg_net: could not remove expired responses, and will try again: {error}");
                self.backoff.fail(now, obstacle(error.code));
                false
            }
        }
    }

    /// How long it is until the next look; `None` if there is no response left.
    fn remove(&self, session: &Session, tables: &mut KnownTables) -> Option<Duration> {
        match tables.find() {
            Found::Same(_) => {}
            // The next claim finds out what is new about them.
            Found::New(_) => {
                tables.forget();
                return Some(PAUSE);
            }
            Found::Nothing => return None,
        }
        let responses = OnTable::named(own_tables::RESPONSES)?;
        let most = if responses.has_code() { MOST_WITH_CODE } else { MOST };
        let time = responses.has_code().then(|| TimeLimit::new(BUDGET));
        let ttl = Value::server_text(settings::ttl().as_bytes());
        let removed = session.run(&self.delete, Access::Write, [ttl, Value::int8(most)]);
        responses.run_deferred_constraints();
        drop(time);
        if removed.count() as i64 == most {
            return Some(Duration::ZERO);
        }
        let next = session.run(&self.next, Access::Write, [ttl]);
        let milliseconds = next.row::<1>(0).int8(0)?;
        Some(Duration::from_millis(u64::try_from(milliseconds).unwrap_or(0)).max(PAUSE))
    }
}
