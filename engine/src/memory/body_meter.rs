use std::fmt;
use std::sync::Arc;

use crate::address::origin::Origin;
use crate::memory::budget::{Budget, Held};
use crate::trace::timeline::Progress;

/// Bodies that are no longer are bounded by how many requests may be under way, and not worth the counting.
const TINY: usize = 4 << 10;
/// Up to here a reply is counted, but never waits for room.
const SMALL: usize = 64 << 10;
/// What is taken from the budget at a time.
const STEP: usize = 64 << 10;
/// The buffer that a connection grows to when much comes in.
const READ_BUFFER: usize = 300 << 10;

/// What one reply draws from the budget while it is read and decoded.
pub(crate) struct Account<'a> {
    budget: &'a Arc<Budget>,
    origin: &'a Origin,
    progress: &'a Progress,
    held: Option<Held>,
    covered: usize,
}

impl<'a> Account<'a> {
    pub(crate) fn new(budget: &'a Arc<Budget>, origin: &'a Origin, progress: &'a Progress) -> Self {
        Self { budget, origin, progress, held: None, covered: TINY }
    }

    /// Whether so many bytes of the reply may stand in memory.
    pub(crate) fn covers(&self, bytes: usize) -> bool {
        bytes <= self.covered
    }

    /// Waits until they may.
    pub(crate) async fn cover(&mut self, bytes: usize) {
        if self.covers(bytes) {
            return;
        }
        let held = self.held.get_or_insert_with(|| self.budget.hold(self.origin));
        if bytes <= SMALL {
            held.take(SMALL);
            self.covered = SMALL;
            return;
        }
        let mut more = (bytes - self.covered).next_multiple_of(STEP);
        self.covered += more;
        if held.bytes() <= SMALL {
            more += READ_BUFFER;
        }
        if !held.try_take(more) {
            self.progress.starve(true);
            held.wait_for(more).await;
            self.progress.starve(false);
        }
    }

    /// What is left of a reply takes so many bytes, whether there is room for them or not: they are here.
    pub(crate) fn of_the_rest(budget: &'a Arc<Budget>, origin: &'a Origin, bytes: usize) -> Memory {
        let mut held = (bytes > TINY).then(|| budget.hold(origin));
        if let Some(held) = &mut held {
            held.take(bytes);
        }
        Memory(held)
    }

    /// The reply is whole, and takes so many bytes.
    pub(crate) fn close(self, bytes: usize) -> Memory {
        let mut held = self.held;
        if let Some(held) = &mut held {
            held.keep(bytes);
        }
        Memory(held)
    }
}

/// The part of the budget that a whole reply takes until the host has done with it.
///
/// It says nothing about the reply: any two are the same, and a copy of a reply has none.
#[derive(Default)]
pub(crate) struct Memory(Option<Held>);

impl Clone for Memory {
    fn clone(&self) -> Self {
        Self(None)
    }
}

impl PartialEq for Memory {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Memory {}

impl fmt::Debug for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} B", self.0.as_ref().map_or(0, Held::bytes))
    }
}
