//! Claimed rows that others take out of the queue before they are sent: they are not sent.
//!
//! Each transaction that may have done so is counted when it commits, and from then on the engine starts nothing (`sender`)
//! until we have looked which of the claimed rows are still there, and taken the others back from it.

use std::collections::HashSet;
use std::time::Instant;

use engine::Key;
use pg_net_core::backoff::Backoff;

use super::{Claim, Sender};
use crate::pg::process::obstacle::obstacle;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::spi::transaction::transaction;
use crate::pg::types::array;
use crate::shmem::{self, Removals};
use crate::worker::known_tables::{Found, KnownTables};

pub(in crate::worker) struct Removed {
    /// How many removals were looked after.
    handled: u64,
    /// Whether there were more when the last look was over: they may come so fast that the engine never starts anything.
    overtaken: bool,
    backoff: Backoff,
    there: Plan,
    held: Plan,
}

impl Removed {
    pub(in crate::worker) fn new(sender: &impl Sender) -> Self {
        Self {
            handled: sender.handled_removals(),
            overtaken: false,
            backoff: Backoff::default(),
            there: Plan::new(c"select row_key from net.http_request_queue where row_key = any ($1)"),
            // The weakest lock that a delete waits for.
            held: Plan::new(
                c"select row_key from net.http_request_queue where row_key = any ($1) for key share skip locked",
            ),
        }
    }

    /// When to look, if there is something to look after.
    pub(in crate::worker) fn deadline(&self, now: Instant) -> Option<Instant> {
        (removals().count() != self.handled).then(|| self.backoff.deadline().unwrap_or(now))
    }

    /// Looks after the removals that there were.
    pub(in crate::worker) fn work(
        &mut self,
        now: Instant,
        tables: &mut KnownTables,
        claim: &mut Claim,
        sender: &mut impl Sender,
    ) {
        let count = removals().count();
        if count == self.handled || !self.backoff.is_over(now) {
            return;
        }
        let looked = transaction(c"looking for removed requests", |session| {
            self.look(session, tables, claim, sender);
        });
        claim.drop_orphans(sender);
        match looked {
            Ok(()) => {
                self.backoff.succeed();
                self.handled = count;
                sender.set_handled_removals(count);
                self.overtaken = removals().count() != count;
            }
            Err(error) => {
                pgrx::warning!("pg_net: could not look for removed requests, and will try again: {}", error);
                self.backoff.fail(now, obstacle(error.code));
            }
        }
    }

    fn look(&self, session: &Session, tables: &mut KnownTables, claim: &mut Claim, sender: &mut impl Sender) {
        // The lock first: what the removal has done to the table itself is known when it has been waited for.
        tables.wait_and_look();
        let Found::Same(_owner) = tables.find() else {
            tables.forget();
            claim.start_over();
            return;
        };
        let emptied = removals().emptied();
        let was_emptied = claim.see_emptied(emptied);
        let keys: Vec<Key> = claim.keys_in_queue().collect();
        let there = run(session, &self.there, Access::Read, &keys);
        let gone = keys.iter().copied().filter(|key| !there.contains(key));
        // What is sent at most once has left the queue before. It ends with all others when the queue is emptied.
        let gone = gone.chain(claim.keys_that_left().filter(|_| was_emptied)).collect();
        for key in claim.take_back(gone, sender) {
            claim.finish(key);
        }
        if self.overtaken {
            let held = run(session, &self.held, Access::Write, &keys);
            let locked = keys.into_iter().filter(|key| there.contains(key) && !held.contains(key)).collect();
            for key in claim.take_back(locked, sender) {
                claim.meet_again(key);
            }
            // What is left cannot be removed until this transaction ends.
            sender.start_now();
        }
    }
}

fn removals() -> &'static Removals {
    &shmem::get().my_slot().removals
}

fn run(session: &Session, plan: &Plan, access: Access, keys: &[Key]) -> HashSet<Key> {
    let keys = array::int8s(keys.iter().copied());
    let rows = session.run(plan, access, [keys]);
    (0..rows.count()).filter_map(|row| rows.row::<1>(row).int8(0)).collect()
}
