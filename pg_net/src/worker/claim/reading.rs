//! Reading rows of the queue, and what becomes of each: claimed, parked, or a failure at once.

use std::time::Duration;

use engine::{Failure, Flow, Key, Outcome, Request, Target, Verdict};

use super::Claim;
use super::batch::Batch;
use super::queue_row::QueueRow;
use crate::pg::spi::plan::{Access, Rows, Session};
use crate::pg::types::array;
use crate::pg::types::clock;
use crate::pg::types::value::Value;
use crate::settings;

/// Rows that are wanted by key are read as one range where that has no more than this many keys for each: to find one by
/// itself costs as much as several that stand beside each other.
const MOST_APART: u64 = 2;

impl Claim {
    /// Reads beyond the cursor, if nothing is left to read before it.
    pub(super) fn read_on(&mut self, session: &Session, most: usize, look_ahead: bool, batch: &mut Batch) {
        if look_ahead {
            self.crowded = None;
        }
        let most = self.room_ahead(look_ahead).min(most);
        if self.behind.is_none() && most > 0 {
            match self.read_range(session, self.cursor.saturating_add(1), Key::MAX, most, batch) {
                Some(met) => self.cursor = met,
                None => self.more = false,
            }
        }
    }

    /// Reads rows of a range in order, no more than there is room for. Where it stopped, if the range may hold more.
    pub(super) fn read_range(
        &mut self,
        session: &Session,
        lowest: Key,
        highest: Key,
        most: usize,
        batch: &mut Batch,
    ) -> Option<Key> {
        let now = clock::now();
        let limit = most.min(self.window.room());
        let rows = self.run_range(session, lowest, highest, limit);
        let mut met = lowest.saturating_sub(1);
        for row in 0..rows.count() {
            let row = QueueRow::new(rows.row(row));
            // One that waits for a time is met when that comes.
            if row.due().is_none_or(|due| due <= now) {
                self.meet(&row, false, batch);
            }
            met = met.max(row.key());
        }
        // The cursor passes what was met even where the range is exhausted.
        self.cursor = self.cursor.max(met);
        (rows.count() == limit).then_some(met)
    }

    /// Reads rows that were met before.
    pub(super) fn read_keys(&mut self, session: &Session, mut keys: Vec<Key>, were_parked: bool, batch: &mut Batch) {
        keys.sort_unstable();
        let (Some(&lowest), Some(&highest)) = (keys.first(), keys.last()) else { return };
        let now = clock::now();
        let span = highest.abs_diff(lowest);
        let rows = if span < MOST_APART * keys.len() as u64 {
            self.run_range(session, lowest, highest, span as usize + 1)
        } else {
            let keys = array::int8s(keys.iter().copied());
            session.run(&self.plans.keys, Access::Read, [keys])
        };
        for row in 0..rows.count() {
            let row = QueueRow::new(rows.row(row));
            let is_wanted = keys.binary_search(&row.key()).is_ok();
            if is_wanted && (were_parked || row.due().is_none_or(|due| due <= now)) {
                self.meet(&row, were_parked, batch);
            }
        }
    }

    fn run_range<'s>(&self, session: &'s Session, lowest: Key, highest: Key, limit: usize) -> Rows<'s> {
        session.run(
            &self.plans.range,
            Access::Read,
            [Value::int8(lowest), Value::int8(highest), Value::int8(limit as i64)],
        )
    }

    /// Reads rows whose time has come.
    pub(super) fn read_due(&mut self, session: &Session, most: usize, batch: &mut Batch) {
        let limit = most.min(self.window.room());
        let rows = self.schedule.read(session, limit);
        for row in 0..rows.count() {
            let row = QueueRow::new(rows.row(row));
            self.meet(&row, false, batch);
            if let Some(due) = row.due() {
                self.schedule.met(due, row.key());
            }
        }
        self.schedule.done(session, rows.count() < limit);
    }

    /// Deals with one row.
    fn meet(&mut self, row: &QueueRow, was_parked: bool, batch: &mut Batch) {
        let key = row.key();
        if !self.identity.is_ours(row.made_in()) {
            return;
        }
        let target = row.target(&mut self.targets);
        let claimed = || row.claimed(target.as_ref().ok());
        let flow = target.as_ref().ok().map(|target| Flow {
            origin: target.origin().clone(),
            tenant: row.tenant(),
            patient: row.is_patient(),
        });
        let is_claimed = match flow {
            Some(flow) if was_parked => self.window.claim(key, Some(&flow), row.size(), claimed()),
            Some(flow) => match self.window.offer(key, &flow, row.size(), claimed) {
                Verdict::Claim => true,
                Verdict::Parked => {
                    // The rows of one in trouble wait for longer than it takes to read past them.
                    if self.window.is_quick(&flow) {
                        self.crowded = Some(flow);
                    }
                    false
                }
                Verdict::Known => false,
            },
            None => self.window.claim(key, None, 0, claimed()),
        };
        if !is_claimed {
            return;
        }
        batch.claimed.push(key);
        batch.bytes += row.size();
        if self.window.get(key).is_some_and(|claimed| claimed.at_most_once) {
            batch.to_take_out.push(key);
        }
        match target.and_then(|target| self.request(row, target)) {
            Ok(request) => batch.requests.push(request),
            Err(failure) => {
                batch.failures.push(Outcome { key, result: Err(failure), elapsed: Duration::ZERO });
            }
        }
    }

    /// The request that a row asks for, bound by the rules of who asked. What its URL alone tells is refused here; the engine
    /// looks again, at the address, before it connects.
    fn request(&mut self, row: &QueueRow, target: Target) -> Result<Request, Failure> {
        let rules = self.rules.of(row.requested_by().unwrap_or_default());
        settings::egress().check(&target, rules.map(|rules| &**rules))?;
        let mut request = row.request(target)?;
        if let Some(rules) = rules {
            request.set_rules(rules.clone());
        }
        Ok(request)
    }
}
