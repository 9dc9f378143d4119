//! Having what was held stored: the worker starts the processes that do it ([`late`](super::late)), and ends them when it leaves.

use std::time::{Duration, Instant};

use super::late::Lane;
use crate::pg::catalog::{own_tables, relation};
use crate::pg::process::dynamic::Process;
use crate::pg::process::obstacle::obstacle;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan};
use crate::pg::spi::transaction::transaction;
use crate::pg::types::clock::{self, Timestamp};
use pg_net_core::backoff::{Backoff, Obstacle};

/// How long a process that is told to end may take: one that is in the midst of a function that cannot be interrupted.
const LEAVE: Duration = Duration::from_secs(5);

pub(in crate::worker) struct Lanes {
    quick: Starter,
    slow: Starter,
    /// Whether the table is to be looked at.
    look: bool,
    first: Plan,
    backoff: Backoff,
}

/// One lane, as the worker sees it.
struct Starter {
    lane: Lane,
    process: Option<Process>,
    /// When there is something to store.
    due: Option<Instant>,
    /// Whether it has ended, and was to leave nothing that is due.
    has_ended: bool,
    /// Until it is started again, after it could not be, or has left something.
    backoff: Backoff,
}

impl Lanes {
    pub(in crate::worker) fn new() -> Self {
        let starter = |lane| Starter { lane, process: None, due: None, has_ended: false, backoff: Backoff::default() };
        Self {
            quick: starter(Lane::Quick),
            slow: starter(Lane::Slow),
            // Once the first claim has found the tables, and whose they are.
            look: false,
            first: Plan::new(
                c"select (select h.due from net._held_response h where not h.slow order by h.due limit 1), \
                         (select h.due from net._held_response h where h.slow order by h.due limit 1)",
            ),
            backoff: Backoff::default(),
        }
    }

    /// Outcomes were held, or the tables are others.
    pub(in crate::worker) fn look(&mut self) {
        self.look = true;
    }

    /// Whether something is being stored, or there may be something.
    pub(in crate::worker) fn is_busy(&self) -> bool {
        self.look || [&self.quick, &self.slow].iter().any(|lane| lane.process.is_some())
    }

    pub(in crate::worker) fn deadline(&self) -> Option<Instant> {
        let after = |due: Instant, backoff: &Backoff| backoff.deadline().map_or(due, |until| until.max(due));
        let look = self.look.then(|| after(Instant::now(), &self.backoff));
        let waiting = [&self.quick, &self.slow].into_iter().filter(|lane| lane.process.is_none());
        waiting.filter_map(|lane| Some(after(lane.due?, &lane.backoff))).chain(look).min()
    }

    /// Starts what is to be started.
    pub(in crate::worker) fn work(&mut self, now: Instant) {
        for lane in [&mut self.quick, &mut self.slow] {
            if lane.process.take_if(|process| process.has_ended()).is_some() {
                lane.has_ended = true;
                self.look = true;
            }
        }
        if self.look && self.backoff.is_over(now) {
            self.look = false;
            self.read(now);
        }
        for lane in [&mut self.quick, &mut self.slow] {
            let is_due = lane.process.is_none() && lane.due.is_some_and(|due| due <= now);
            if is_due && lane.backoff.is_over(now) {
                lane.process = Process::start(lane.lane.builder());
                if lane.process.is_none() {
                    lane.backoff.fail(now, Obstacle::Failure);
                }
            }
        }
    }

    fn read(&mut self, now: Instant) {
        let first = transaction(c"looking for held responses", |session| {
            let table =
                relation::relation_in_net(own_tables::HELD_RESPONSES).filter(|&table| own_tables::contain(table))?;
            let _owner = OnTable::open(table)?;
            let rows = session.run(&self.first, Access::Read, []);
            let row = rows.row::<2>(0);
            Some([row.timestamp(0), row.timestamp(1)])
        });
        match first {
            Ok(first) => {
                let [quick, slow] = first.unwrap_or_default().map(|due| due.map(|due| moment(now, due)));
                self.quick.note(now, quick);
                self.slow.note(now, slow);
                self.backoff.succeed();
            }
            Err(error) => {
                pgrx::warning!("pg_net: could not look for held responses, and will try again: {error}");
                self.look = true;
                self.backoff.fail(now, obstacle(error.code));
            }
        }
    }

    /// Ends the processes, and waits until they have ended: a command may need the database without other sessions.
    pub(in crate::worker) fn end(&mut self) {
        for lane in [&mut self.quick, &mut self.slow] {
            if let Some(process) = lane.process.take() {
                process.end(LEAVE);
            }
        }
    }
}

impl Starter {
    /// The first of its outcomes is due at this time.
    fn note(&mut self, now: Instant, due: Option<Instant>) {
        self.due = due;
        if std::mem::take(&mut self.has_ended) {
            // Perhaps it has come since; or the process fails, and must not be started without end.
            if due.is_some_and(|due| due <= now) {
                self.backoff.fail(now, Obstacle::Failure)
            } else {
                self.backoff.succeed()
            }
        }
    }
}

fn moment(now: Instant, due: Timestamp) -> Instant {
    now + clock::between(clock::now(), due).min(Duration::from_secs(3600))
}

impl Drop for Lanes {
    fn drop(&mut self) {
        self.end();
    }
}
