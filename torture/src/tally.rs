//! The account of a bout: what was committed against what was received.

use std::collections::{HashMap, HashSet};

use crate::bout::Met;
use crate::clock::Moment;
use crate::faults::{Fault, Injection};
use crate::ledger::Asked;
use crate::outcomes::{Outcome, Outcomes};
use crate::receipts::{Event, Line};

/// What became of the requests of a bout.
#[derive(Debug)]
pub struct Tally {
    /// Its fault.
    pub fault: Fault,
    /// How many requests each injection met in flight.
    pub met: Vec<usize>,
    /// Committed requests.
    pub committed: usize,
    /// Those of them that were received, each once.
    pub received: usize,
    /// Committed, never received, and nobody else to blame: there must be none.
    pub lost: usize,
    /// Never received, and recorded as failed, where the receiver is to blame.
    pub failed: usize,
    /// Never received, and taken out of the queue by its owner.
    pub taken_back: usize,
    /// Received more than once.
    pub repeated: usize,
    /// How many may be received once more: those that were in flight when the worker ended, and those whose reply was
    /// broken off and that HTTP allows to be sent again.
    pub allowed: usize,
    /// Received once more than the faults explain: there must be none.
    pub unexplained: usize,
    /// Received, but never committed: there must be none.
    pub stray: usize,
    /// Still queued when the queue had come to rest: there must be none.
    pub unfinished: usize,
}

impl Tally {
    /// Injections that met something in flight: the others do not count.
    pub fn injections(&self) -> usize {
        self.met.iter().filter(|&&met| met > 0).count()
    }

    /// What is wrong, if anything.
    pub fn wrongs(&self) -> Vec<String> {
        let wrongs = [
            (self.lost, "lost"),
            (self.stray, "received though rolled back"),
            (self.unexplained, "received once more than the faults explain"),
            (self.repeated.saturating_sub(self.allowed), "received twice beyond what was in flight"),
            (self.unfinished, "left in the queue"),
            (usize::from(self.injections() == 0), "faults, of one that met nothing in flight"),
        ];
        wrongs.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}

/// A receipt of a request: when, and whether it was answered.
type Receipt = (Moment, bool);

pub(crate) fn tally(
    fault: Fault,
    injections: &[Met],
    committed: &HashMap<u64, Asked>,
    taken_back: &HashSet<u64>,
    lines: &[Line],
    outcomes: &Outcomes,
    unfinished: usize,
) -> Tally {
    let receipts = receipts(lines);
    let ends: Vec<Injection> =
        injections.iter().map(|(injection, _)| *injection).filter(|one| one.ended_worker).collect();
    let mut tally = Tally {
        fault,
        met: injections.iter().map(|(_, met)| *met).collect(),
        committed: committed.len(),
        received: 0,
        lost: 0,
        failed: 0,
        taken_back: 0,
        repeated: 0,
        allowed: 0,
        unexplained: 0,
        stray: receipts.keys().filter(|tag| !committed.contains_key(tag)).count(),
        unfinished,
    };
    for (tag, asked) in committed {
        let outcome = outcomes.get(&asked.id);
        match receipts.get(tag) {
            Some(receipts) => tally.count_received(asked, receipts, outcome, &ends),
            None if taken_back.contains(tag) => tally.taken_back += 1,
            None if fault.breaks_requests() && outcome.is_some_and(|outcome| outcome.failed) => tally.failed += 1,
            None => tally.lost += 1,
        }
    }
    tally
}

impl Tally {
    fn count_received(&mut self, asked: &Asked, receipts: &[Receipt], outcome: Option<&Outcome>, ends: &[Injection]) {
        self.received += 1;
        self.repeated += usize::from(receipts.len() > 1);
        let recorded = outcome.map_or(Moment::MAX, |outcome| outcome.recorded);
        let (first, _) = receipts[0];
        let in_flight = ends.iter().filter(|end| first <= end.end && recorded >= end.begin).count();
        // Once, where the connection had been used before.
        let resent = usize::from(asked.idempotent && receipts.iter().any(|(_, answered)| !answered));
        self.allowed += in_flight + resent;

        // In order, each further receipt takes the first end of the worker that explains it.
        let mut ends = ends.iter().peekable();
        let mut resends = resent;
        for pair in receipts.windows(2) {
            let ((before, answered), (again, _)) = (pair[0], pair[1]);
            while ends.peek().is_some_and(|end| end.end < before) {
                ends.next();
            }
            if ends.peek().is_some_and(|end| end.begin <= again) {
                ends.next();
            } else if !answered && resends > 0 {
                resends -= 1;
            } else {
                self.unexplained += 1;
            }
        }
        // An outcome ends it: nothing comes after.
        self.unexplained += receipts.iter().filter(|(at, _)| *at > recorded).count();
    }
}

/// The receipts of each request, in order.
fn receipts(lines: &[Line]) -> HashMap<u64, Vec<Receipt>> {
    let mut receipts: HashMap<u64, Vec<Receipt>> = HashMap::new();
    for line in lines {
        let of = receipts.entry(line.tag).or_default();
        match line.event {
            Event::Received => of.push((line.at, false)),
            // An earlier one that is open still was broken off.
            Event::Answered => {
                if let Some(open) = of.iter_mut().rfind(|(_, answered)| !answered) {
                    open.1 = true;
                }
            }
            Event::BrokenOff => {}
        }
    }
    receipts
}
