//! Bounds the attempts at sick origins, those to which connecting keeps failing.
//!
//! Each request gets its own attempt, also to a sick origin. What these attempts cost the others is bounded for all
//! sick origins together: the places that they take while they hang, and the time that refusals take.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::address::origin::Origin;

/// Decided: all sick origins together have a quarter of the places, and begin an attempt every five milliseconds. One
/// of them has no more than what it leaves free of these. In the turns of all origins they count as one. So 50,000
/// requests to ports that refuse are done within five minutes, and requests to names that lead nowhere end at most a
/// quarter as fast as if all were well. At an attempt every two milliseconds, one in fifty requests to a healthy
/// origin had to wait while their outcomes were recorded.
const FRACTION: usize = 4;
const INTERVAL: Duration = Duration::from_millis(5);
/// By how much an attempt is put off where another request starts just then, and by how much at most. Requests that come
/// every five milliseconds would otherwise share the thread with an attempt each time.
const WAY: Duration = Duration::from_millis(1);
const MOST_WAY: Duration = Duration::from_millis(2);

#[derive(Debug, Default)]
pub(crate) struct ProbeLimiter {
    /// The sick origins that requests wait for, each once, in the order of their turns.
    pub(crate) turns: VecDeque<Origin>,
    /// Whether they have a turn among all origins.
    pub(crate) are_queued: bool,
    under_way: usize,
    /// Before this, no attempt begins.
    next_at: Option<Instant>,
    /// Until this, the next attempt gives way to other requests.
    gives_way_until: Option<Instant>,
}

impl ProbeLimiter {
    /// How many more attempts may be under way, of `total` places. Also the most that one origin may have beside the
    /// others.
    pub(crate) fn free(&self, total: usize) -> usize {
        (total / FRACTION).max(1).saturating_sub(self.under_way)
    }

    /// Whether they have to get a turn among all origins now. Then they count as queued.
    pub(crate) fn claim_turn(&mut self, total: usize, now: Instant) -> bool {
        self.next_at = self.next_at.filter(|&until| now < until);
        let claims = !self.are_queued && !self.turns.is_empty() && self.next_at.is_none() && self.free(total) > 0;
        self.are_queued |= claims;
        claims
    }

    pub(crate) fn start(&mut self, now: Instant) {
        self.under_way += 1;
        self.next_at = Some(now + INTERVAL);
        self.gives_way_until = Some(now + INTERVAL + MOST_WAY);
    }

    /// Another request starts: an attempt that is due comes a moment later.
    pub(crate) fn give_way(&mut self, now: Instant) {
        let Some(until) = self.gives_way_until.map(|most| most.min(now + WAY)).filter(|&until| now < until) else {
            return;
        };
        if self.next_at.is_none_or(|at| at < until) {
            self.next_at = Some(until);
        }
    }

    /// Whether no attempt may begin yet.
    pub(crate) fn rests(&self, now: Instant) -> bool {
        self.next_at.is_some_and(|at| now < at)
    }

    /// An attempt that had given up its place has one again.
    pub(crate) fn resume(&mut self) {
        self.under_way += 1;
    }

    pub(crate) fn finish(&mut self) {
        self.under_way -= 1;
    }

    /// An origin is not sick any more.
    pub(crate) fn remove(&mut self, origin: &Origin) {
        self.turns.retain(|other| other != origin);
    }

    /// When the next attempt may begin, if one waits only for that.
    pub(crate) fn next_at(&self) -> Option<Instant> {
        self.next_at.filter(|_| !self.turns.is_empty())
    }

    pub(crate) fn clear(&mut self) {
        self.turns.clear();
        self.are_queued = false;
    }
}
