//! Attempts at origins that are sick: those to which connecting keeps failing.
//!
//! Each request has an attempt of its own, also there. What it may cost the others is bounded for all sick origins together: the
//! places that hang take, and the time that refusals take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::address::origin::Origin;

/// Decided: all sick origins together have a quarter of the places, one of them no more than it leaves free of these, and begin an
/// attempt every five milliseconds. In the turns of all they count as one origin. So 50,000 requests to ports that refuse are done
/// within five minutes, and what is sent to names that lead nowhere ends at most a quarter as fast as if all were well. At an attempt
/// every two milliseconds, one in fifty requests to an origin that is well had to wait while their outcomes were recorded.
const PART: usize = 4;
const PACE: Duration = Duration::from_millis(5);

#[derive(Debug, Default)]
pub(crate) struct Probes {
    /// The sick origins for which something waits, each once, in the order of their turns.
    pub(crate) turns: VecDeque<Origin>,
    /// Whether they stand in the turns of all.
    pub(crate) have_turn: bool,
    under_way: usize,
    /// Until when none begins.
    rest_until: Option<Instant>,
}

impl Probes {
    /// How many more may be under way, of so many places in all; and so the most that one origin may have, another beside it.
    pub(crate) fn free(&self, total: usize) -> usize {
        (total / PART).max(1).saturating_sub(self.under_way)
    }

    /// Whether they have to be put into the turns now; then they count as put.
    pub(crate) fn claim_turn(&mut self, total: usize, now: Instant) -> bool {
        self.rest_until = self.rest_until.filter(|&until| now < until);
        let claims = !self.have_turn && !self.turns.is_empty() && self.rest_until.is_none() && self.free(total) > 0;
        self.have_turn |= claims;
        claims
    }

    pub(crate) fn start(&mut self, now: Instant) {
        self.under_way += 1;
        self.rest_until = Some(now + PACE);
    }

    /// One that was under way is so again.
    pub(crate) fn go_on(&mut self) {
        self.under_way += 1;
    }

    pub(crate) fn finish(&mut self) {
        self.under_way -= 1;
    }

    /// An origin is not sick any more.
    pub(crate) fn leave(&mut self, origin: &Origin) {
        self.turns.retain(|other| other != origin);
    }

    /// When the next one may begin, if one waits only for that.
    pub(crate) fn rest_until(&self) -> Option<Instant> {
        self.rest_until.filter(|_| !self.turns.is_empty())
    }

    pub(crate) fn clear(&mut self) {
        self.turns.clear();
        self.have_turn = false;
    }
}
