use std::collections::{HashMap, HashSet};

use super::Report;
use super::receipts::{self, Receipt};
use crate::clock::Moment;
use crate::faults::{Fault, Injection};
use crate::ledger::Requested;
use crate::outcomes::{Outcome, Outcomes};
use crate::receipts::Line;
use crate::request_kind::{ATTEMPTS, RequestKind};
use crate::scenario::Met;

/// All that is known of a scenario.
pub(crate) struct Account<'a> {
    pub(crate) fault: Fault,
    pub(crate) injections: &'a [Met],
    pub(crate) committed: &'a HashMap<u64, Requested>,
    pub(crate) taken_back: &'a HashSet<u64>,
    pub(crate) lines: &'a [Line],
    pub(crate) outcomes: &'a Outcomes,
    /// What a worker claims at once.
    pub(crate) claimed_at_most: usize,
    pub(crate) unfinished: usize,
}

impl Account<'_> {
    /// Holds what was committed against what was received.
    pub(crate) fn report(&self) -> Report {
        let receipts = receipts::by_tag(self.lines);
        let mut report = Report::new(self.fault);
        report.met = self.injections.iter().map(|(_, met)| *met).collect();
        report.committed = self.committed.len();
        report.stray = receipts.keys().filter(|tag| !self.committed.contains_key(tag)).count();
        report.recorded_twice = self.outcomes.values().filter(|outcome| outcome.times > 1).count();
        report.unfinished = self.unfinished;
        if self.fault.crashes_server() {
            report.may_be_gone = self.ends().count() * self.claimed_at_most;
        } else if self.fault.empties_queue() {
            report.may_be_gone = self.injections.len() * self.claimed_at_most;
        }
        for (tag, requested) in self.committed {
            let outcome = self.outcomes.get(tag);
            match receipts.get(tag) {
                Some(receipts) => self.count_received(&mut report, requested, receipts, outcome),
                None => *self.missing(*tag, requested, outcome, &mut report) += 1,
            }
        }
        report
    }

    fn ends(&self) -> impl Iterator<Item = &Injection> + Clone {
        self.injections.iter().map(|(injection, _)| injection).filter(|injection| injection.ended_worker)
    }

    /// What one is that was never received.
    fn missing<'t>(
        &self,
        tag: u64,
        requested: &Requested,
        outcome: Option<&Outcome>,
        report: &'t mut Report,
    ) -> &'t mut usize {
        let at_most_once = requested.kind == RequestKind::AtMostOnce;
        let failed = outcome.is_some_and(|outcome| outcome.failure.is_some());
        if self.taken_back.contains(&tag) {
            &mut report.taken_back
        } else if failed
            && (self.fault.breaks_requests()
                || at_most_once && (self.fault.closes_connections() || self.ends().next().is_some()))
        {
            &mut report.failed
        } else if at_most_once && (self.fault.crashes_server() || self.fault.empties_queue()) {
            &mut report.gone
        } else {
            report.examples.push(format!("lost: {requested:?}, {outcome:?}"));
            &mut report.lost
        }
    }

    fn count_received(
        &self,
        report: &mut Report,
        requested: &Requested,
        receipts: &[Receipt],
        outcome: Option<&Outcome>,
    ) {
        let first = receipts[0].at;
        report.received += 1;
        report.repeated += usize::from(receipts.len() > 1);
        report.early += usize::from(requested.not_before.is_some_and(|not_before| first < not_before));
        let resends = self.resends(requested.kind, receipts);
        let recorded = outcome.map_or(Moment::MAX, |outcome| outcome.recorded);
        if requested.kind != RequestKind::AtMostOnce {
            let in_flight = self.ends().filter(|end| first <= end.end && recorded >= end.begin).count();
            report.allowed += in_flight + resends;
        }
        let unexplained = self.unexplained(requested.kind, receipts, resends);
        report.unexplained += unexplained;
        if unexplained > 0 {
            report.examples.push(format!("again: {requested:?}, {receipts:?}, {outcome:?}"));
        }
        // An answer that is recorded ends it: nothing comes after. A failure may be recorded before the receiver looks.
        if outcome.is_some_and(|outcome| outcome.failure.is_none()) {
            report.unexplained += receipts.iter().filter(|receipt| receipt.at > recorded).count();
        }
    }

    /// How often one may be sent again although the worker did not end.
    fn resends(&self, kind: RequestKind, receipts: &[Receipt]) -> usize {
        match kind {
            RequestKind::AtMostOnce => 0,
            // Each attempt may be sent twice, see below.
            RequestKind::Retried if self.fault.breaks_requests() => 2 * ATTEMPTS - 1,
            // Where the connection had been used before, and not a byte of a reply had come.
            RequestKind::Get | RequestKind::Post | RequestKind::Retried => {
                usize::from(receipts.iter().any(|receipt| !receipt.answered))
            }
        }
    }

    /// Receipts after the first that nothing explains.
    fn unexplained(&self, kind: RequestKind, receipts: &[Receipt], mut resends: usize) -> usize {
        if kind == RequestKind::AtMostOnce {
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
