//! The account of a scenario: what was committed against what was received.

mod account;
mod receipts;
mod table;

use crate::faults::Fault;

pub(crate) use account::Account;

/// What became of the requests of a scenario.
#[derive(Debug)]
pub struct Report {
    /// Its fault.
    pub fault: Fault,
    /// How many requests each injection met in flight.
    pub met: Vec<usize>,
    /// Committed requests.
    pub committed: usize,
    /// Those of them that were received, each once.
    pub received: usize,
    /// Committed, never received, and not explained by a fault: there must be none.
    pub lost: usize,
    /// Never received, and recorded as failed, where the receiver is to blame, or the delivery was to be at most once.
    pub failed: usize,
    /// Never received, and taken out of the queue by its owner.
    pub taken_back: usize,
    /// Never received, to be delivered at most once, and in flight at a crash, or claimed when the queue was truncated or dropped, as far as
    /// can be told.
    pub gone: usize,
    /// How many may be gone: what a worker can have claimed, at each of these.
    pub may_be_gone: usize,
    /// Received more than once.
    pub repeated: usize,
    /// How many may be received once more: those that were in flight when the worker ended, those that were broken off and
    /// that HTTP allows to be sent again, and those that had attempts left.
    pub allowed: usize,
    /// Received once more than the faults explain: there must be none.
    pub unexplained: usize,
    /// Received before their time: there must be none.
    pub early: usize,
    /// Received, but never committed: there must be none.
    pub stray: usize,
    /// With more than one outcome: there must be none.
    pub recorded_twice: usize,
    /// The requests of which something is wrong, for those who look for the cause.
    pub examples: Vec<String>,
    /// Still queued when the queue had come to rest: there must be none.
    pub unfinished: usize,
}

impl Report {
    pub(crate) fn new(fault: Fault) -> Self {
        Self {
            fault,
            met: Vec::new(),
            committed: 0,
            received: 0,
            lost: 0,
            failed: 0,
            taken_back: 0,
            gone: 0,
            may_be_gone: 0,
            repeated: 0,
            allowed: 0,
            unexplained: 0,
            early: 0,
            stray: 0,
            recorded_twice: 0,
            examples: Vec::new(),
            unfinished: 0,
        }
    }

    /// Injections that met something in flight: the others do not count.
    pub fn injections(&self) -> usize {
        self.met.iter().filter(|&&met| met > 0).count()
    }

    /// What is wrong, if anything.
    pub fn wrongs(&self) -> Vec<String> {
        let wrongs = [
            (self.lost, "lost"),
            (self.gone.saturating_sub(self.may_be_gone), "at most once, and lost beyond what was in flight"),
            (self.stray, "received though rolled back"),
            (self.unexplained, "received once more than the faults explain"),
            (self.repeated.saturating_sub(self.allowed), "received twice beyond what was in flight"),
            (self.early, "received before their time"),
            (self.recorded_twice, "recorded twice"),
            (self.unfinished, "left in the queue"),
            (usize::from(self.injections() == 0), "faults, of one that met nothing in flight"),
        ];
        wrongs.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}
