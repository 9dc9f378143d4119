//! The suite itself: pg_net with a fault built in does not pass it.

use std::time::Duration;

use torture::{Extent, Mutant};

use crate::{SEED, place};

/// A mutant loses what an injection happens to meet between two of its steps: some meet nothing there.
const SMALL: Extent = Extent { injections: 8, time: Duration::from_secs(15), writers: 2 };

/// How many requests a mutant loses.
fn lost_by(mutant: Mutant) -> usize {
    let report = torture::run(&place(Some(mutant)), mutant.shown_by(), SEED, SMALL);
    assert!(!report.wrongs().is_empty());
    report.lost
}

#[test]
fn an_outcome_that_is_recorded_before_its_request_is_sent_is_found() {
    assert!(lost_by(Mutant::RecordBeforeSend) > 0);
}

#[test]
fn a_row_that_is_deleted_when_it_is_claimed_is_found() {
    assert!(lost_by(Mutant::DeleteAtClaim) > 0);
}

#[test]
fn a_worker_that_is_woken_before_the_commit_is_found() {
    assert!(lost_by(Mutant::WakeBeforeCommit) > 0);
}
