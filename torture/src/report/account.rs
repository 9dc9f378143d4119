use std::collections::{HashMap, HashSet};

use super::Tally;
use super::receipts::{self, Receipt};
use crate::clock::Moment;
use crate::faults::{Fault, Injection};
use crate::ledger::Asked;
use crate::outcomes::{Outcome, Outcomes};
use crate::receipts::Line;
use crate::request_kind::{ATTEMPTS, Kind};
use crate::scenario::Met;

/// All that is known of a bout.
pub(crate) struct Account<'a> {
    pub(crate) fault: Fault,
    pub(crate) injections: &'a [Met],
    pub(crate) committed: &'a HashMap<u64, Asked>,
    pub(crate) taken_back: &'a HashSet<u64>,
    pub(crate) lines: &'a [Line],
    pub(crate) outcomes: &'a Outcomes,
    /// What a worker claims at once.
    pub(crate) claimed_at_most: usize,
    pub(crate) unfinished: usize,
}

impl Account<'_> {
    /// Holds what was committed against what was received.
    pub(crate) fn tally(&self) -> Tally {
        let receipts = receipts::by_tag(self.lines);
        let mut tally = Tally::new(self.fault);
        tally.met = self.injections.iter().map(|(_, met)| *met).collect();
        tally.committed = self.committed.len();
        tally.stray = receipts.keys().filter(|tag| !self.committed.contains_key(tag)).count();
        tally.recorded_twice = self.outcomes.values().filter(|outcome| outcome.times > 1).count();
        tally.unfinished = self.unfinished;
        if self.fault.crashes_server() {
            tally.may_be_gone = self.ends().count() * self.claimed_at_most;
        } else if self.fault.empties_queue() {
            tally.may_be_gone = self.injections.len() * self.claimed_at_most;
        }
        for (tag, asked) in self.committed {
            let outcome = self.outcomes.get(tag);
            match receipts.get(tag) {
                Some(receipts) => self.count_received(&mut tally, asked, receipts, outcome),
                None => *self.fate(*tag, asked, outcome, &mut tally) += 1,
            }
        }
        tally
    }

    fn ends(&self) -> impl Iterator<Item = &Injection> + Clone {
        self.injections.iter().map(|(injection, _)| injection).filter(|injection| injection.ended_worker)
    }

    /// What one is that was never received.
    fn fate<'t>(&self, tag: u64, asked: &Asked, outcome: Option<&Outcome>, tally: &'t mut Tally) -> &'t mut usize {
        let at_most_once = asked.kind == Kind::AtMostOnce;
        let failed = outcome.is_some_and(|outcome| outcome.failure.is_some());
        if self.taken_back.contains(&tag) {
            &mut tally.taken_back
        } else if failed
            && (self.fault.breaks_requests()
                || at_most_once && (self.fault.closes_connections() || self.ends().next().is_some()))
        {
            &mut tally.failed
        } else if at_most_once && (self.fault.crashes_server() || self.fault.empties_queue()) {
            &mut tally.gone
        } else {
            tally.examples.push(format!("lost: {asked:?}, {outcome:?}"));
            &mut tally.lost
        }
    }

    fn count_received(&self, tally: &mut Tally, asked: &Asked, receipts: &[Receipt], outcome: Option<&Outcome>) {
        let first = receipts[0].at;
        tally.received += 1;
        tally.repeated += usize::from(receipts.len() > 1);
        tally.early += usize::from(asked.not_before.is_some_and(|not_before| first < not_before));
        let resends = self.resends(asked.kind, receipts);
        let recorded = outcome.map_or(Moment::MAX, |outcome| outcome.recorded);
        if asked.kind != Kind::AtMostOnce {
            let in_flight = self.ends().filter(|end| first <= end.end && recorded >= end.begin).count();
            tally.allowed += in_flight + resends;
        }
        let unexplained = self.unexplained(asked.kind, receipts, resends);
        tally.unexplained += unexplained;
        if unexplained > 0 {
            tally.examples.push(format!("again: {asked:?}, {receipts:?}, {outcome:?}"));
        }
        // An answer that is recorded ends it: nothing comes after. A failure may be recorded before the receiver looks.
        if outcome.is_some_and(|outcome| outcome.failure.is_none()) {
            tally.unexplained += receipts.iter().filter(|receipt| receipt.at > recorded).count();
        }
    }

    /// How often one may be sent again although the worker did not end.
    fn resends(&self, kind: Kind, receipts: &[Receipt]) -> usize {
        match kind {
            Kind::AtMostOnce => 0,
            // Each attempt may be sent twice, see below.
            Kind::Retried if self.fault.breaks_requests() => 2 * ATTEMPTS - 1,
            // Where the connection had been used before, and not a byte of a reply had come.
            Kind::Get | Kind::Post | Kind::Retried => usize::from(receipts.iter().any(|receipt| !receipt.answered)),
        }
    }

    /// Receipts after the first that nothing explains.
    fn unexplained(&self, kind: Kind, receipts: &[Receipt], mut resends: usize) -> usize {
        if kind == Kind::AtMostOnce {
            return receipts.len() - 1;
        }
        // In order, each further receipt takes the first end of the worker that explains it.
        let mut ends = self.ends().peekable();
        let mut unexplained = 0;
        for pair in receipts.windows(2) {
            let (before, again) = (pair[0], pair[1]);
            while ends.peek().is_some_and(|end| end.end < before.at) {
                ends.next();
            }
            if ends.peek().is_some_and(|end| end.begin <= again.at) {
                ends.next();
            } else if resends > 0 && !before.answered {
                resends -= 1;
            } else {
                unexplained += 1;
            }
        }
        unexplained
    }
}
