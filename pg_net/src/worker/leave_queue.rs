//! Taking rows out of the queue, whatever its owner has attached to it.
//!
//! A row that stayed would be sent again. So where triggers or rules keep it, or fail at it, it goes without them.

use std::cell::Cell;
use std::collections::HashSet;
use std::time::Duration;

use engine::Key;

use super::held::hold::Patience;
use crate::hooks::removals::OwnDelete;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::storage::bulk;
use crate::pg::types::array;
use crate::pg::types::value::Value;
use crate::user_code::{Refusal, guarded};

/// How long one run of a user's code may hold up the worker.
pub(super) const BUDGET: Duration = Duration::from_millis(50);
/// How often what fails there is tried, where there is no later: at once, one after the other.
pub(super) const TRIES: usize = 5;

pub(super) struct Leave {
    delete: Plan,
    place: Plan,
}

impl Leave {
    pub(super) fn new() -> Self {
        Self {
            delete: Plan::new(
                c"delete from net.http_request_queue where row_key operator(pg_catalog.=) any ($1) returning row_key",
            ),
            place: Plan::new(
                c"select tableoid, ctid from net.http_request_queue where row_key operator(pg_catalog.=) $1 for update",
            ),
        }
    }

    /// Deletes the rows with these keys. Gives those that were there.
    pub(super) fn take(&self, session: &Session, queue: &OnTable, keys: &[Key]) -> HashSet<Key> {
        if queue.has_code() {
            return keys.iter().copied().filter(|&key| self.take_one(session, queue, key)).collect();
        }
        self.delete(session, keys)
    }

    pub(super) fn delete(&self, session: &Session, keys: &[Key]) -> HashSet<Key> {
        let array = array::int8s(keys.iter().copied());
        let _own = OwnDelete::begin();
        let deleted = session.run(&self.delete, Access::Write, [array]);
        (0..deleted.count()).filter_map(|row| deleted.row::<1>(row).int8(0)).collect()
    }

    fn take_one(&self, session: &Session, queue: &OnTable, key: Key) -> bool {
        let deleted = persist(|| {
            let deleted = self.delete(session, &[key]);
            queue.run_deferred_constraints();
            !deleted.is_empty()
        });
        if let Ok(true) = deleted {
            return true;
        }
        // It was gone already, or a trigger kept it.
        let was_kept = self.delete_below(session, key);
        if let (true, Err(refusal)) = (was_kept, deleted) {
            pgrx::warning!("pg_net: a request that is done leaves the queue without triggers, which failed: {refusal}");
        }
        was_kept
    }

    /// Deletes below triggers and rules.
    fn delete_below(&self, session: &Session, key: Key) -> bool {
        let places = session.run(&self.place, Access::Write, [Value::int8(key)]);
        for row in 0..places.count() {
            let row = places.row::<2>(row);
            if let (Some(table), Some(place)) = (row.oid(0), row.place(1)) {
                bulk::delete_one(table, place);
            }
        }
        places.count() > 0
    }
}

thread_local! {
    static PATIENCE: Cell<Patience> = Cell::new(Patience::new());
}

/// Runs a statement that may run code of users until it succeeds, a few times, unless it takes its time.
pub(super) fn persist<R>(statement: impl Fn() -> R) -> Result<R, Refusal> {
    let mut patience = PATIENCE.get();
    let budget = patience.budget();
    let mut result = guarded(budget, &statement);
    for _ in 1..TRIES {
        match &result {
            Err(refusal) if !refusal.is_cut => result = guarded(budget, &statement),
            _ => break,
        }
    }
    if result.as_ref().is_err_and(|refusal| refusal.is_cut) {
        patience.cut();
    }
    PATIENCE.set(patience);
    result
}
