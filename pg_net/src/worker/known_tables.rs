//! The tables that the worker serves, and whether they are still the same.

use crate::pg::catalog::relation::Queue;
use crate::pg::catalog::role::ActAs;

/// What the worker knows of the tables. The extension may be dropped and created again between any two transactions.
pub(super) struct KnownTables {
    known: Option<Queue>,
    /// Whether the log has been told that the SQL is that of another version.
    told: bool,
}

/// What a look at the tables found.
pub(super) enum Found {
    /// The same tables as before. Statements run as their owner until the guard is dropped.
    Same(ActAs),
    /// Other tables than before: nothing that is known of the old ones holds.
    New(ActAs),
    /// None, or none that are the extension's.
    Nothing,
}

impl KnownTables {
    pub(super) fn new() -> Self {
        Self { known: None, told: false }
    }

    /// Forgets what was found, so that the next search gives [`Found::New`].
    pub(super) fn forget(&mut self) {
        self.known = None;
    }

    /// Waits until no other transaction has the queue that was found locked exclusively, and has the transaction see what is committed by then.
    pub(super) fn wait_and_look(&self) {
        if let Some(queue) = self.known {
            queue.wait_and_look();
        }
    }

    /// Looks for the tables. Within a transaction.
    pub(super) fn find(&mut self) -> Found {
        let Some(queue) = Queue::find() else {
            self.known = None;
            return Found::Nothing;
        };
        let same = self.known.is_some_and(|known| known.relation == queue.relation);
        if !same && !queue.belongs_to_extension() {
            self.known = None;
            return Found::Nothing;
        }
        if !same && !queue.is_updated() {
            if !std::mem::replace(&mut self.told, true) {
                pgrx::warning!(
                    "pg_net: the SQL objects are those of an earlier version; requests wait until this is run in the \
                     database: ALTER EXTENSION pg_net UPDATE"
                );
            }
            self.known = None;
            return Found::Nothing;
        }
        self.known = Some(queue);
        let owner = ActAs::owner(queue.owner);
        if same { Found::Same(owner) } else { Found::New(owner) }
    }
}
