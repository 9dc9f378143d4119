//! Showing which origins are in trouble.

use std::collections::HashMap;
use std::time::Instant;

use engine::{Origin, OriginHealth, OriginState};

use crate::pg::process::server;
use crate::pg::types::clock::{self, Timestamp};
use crate::shmem::{self, Sick};

/// What this worker has to say about origins, as it stands in shared memory.
pub(super) struct Origins {
    entries: HashMap<Origin, usize>,
}

impl Origins {
    pub(super) fn new() -> Self {
        let origins = Self { entries: HashMap::new() };
        // A worker that crashed may have left something behind.
        shmem::get().origins.free_all(server::my_database());
        origins
    }

    /// Shows how an origin is doing, or nothing more of one that is well.
    pub(super) fn show(&mut self, state: &OriginState) {
        let shown = &shmem::get().origins;
        if state.is_healthy() {
            if let Some(entry) = self.entries.remove(&state.origin) {
                shown.free(entry);
            }
            return;
        }
        let entry = match self.entries.get(&state.origin) {
            Some(&entry) => entry,
            None => {
                let Some(entry) = shown.take(server::my_database()) else { return };
                self.entries.insert(state.origin.clone(), entry);
                entry
            }
        };
        shown.write(
            entry,
            &Sick {
                origin: state.origin.as_str().to_owned(),
                standing: match state.health {
                    OriginHealth::Healthy => shmem::STANDING_HEALTHY,
                    OriginHealth::Probing => shmem::STANDING_PROBING,
                    OriginHealth::Deferred => shmem::STANDING_DEFERRED,
                },
                failures: state.failures,
                last_failure: state.last_failure.unwrap_or_default().to_owned(),
                failing_since: timestamp(state.failing_since),
                held_until: timestamp(state.deferred_until),
            },
        );
    }

    /// Shows nothing any more: the engine that said it is gone.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
        shmem::get().origins.free_all(server::my_database());
    }
}

fn timestamp(at: Option<Instant>) -> Timestamp {
    let Some(at) = at else { return 0 };
    let (now, here) = (clock::now(), Instant::now());
    match here.checked_duration_since(at) {
        Some(ago) => clock::before(now, ago),
        None => clock::after(now, at - here),
    }
}
