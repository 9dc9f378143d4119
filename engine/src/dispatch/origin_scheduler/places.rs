//! Origins that wait for a place, and items that give theirs up because they wait for something that does not
//! depend on their origin.

use std::time::Instant;

use super::{OriginScheduler, Turn};
use crate::address::origin::Origin;
use crate::dispatch::origin_queue::Queued;
use crate::dispatch::origin_signal::OriginSignal;

impl<T: Queued> OriginScheduler<T> {
    /// Whether one more item may be under way.
    pub(crate) fn has_place(&self) -> bool {
        self.under_way - self.placeless < self.limits.total
    }

    /// A started item leaves its place to others until it [takes](Self::take_place) one again.
    pub(crate) fn give_place_up(&mut self, origin: &Origin, probe: bool, now: Instant) {
        let Some(queue) = self.queues.get_mut(origin) else { return };
        self.placeless += 1;
        let before = queue.silent();
        queue.give_place_up(probe);
        self.silent -= before - queue.silent();
        queue.report_responsiveness(origin, &self.limits, &mut self.events);
        if probe {
            self.probe_limiter.finish();
        }
        self.resume_stalled();
        self.schedule_probes(now);
    }

    /// The item has a place again, or ends. The caller has seen to it that there is one.
    pub(crate) fn take_place(&mut self, origin: &Origin, probe: bool) {
        let Some(queue) = self.queues.get_mut(origin) else { return };
        self.placeless -= 1;
        let before = queue.silent();
        queue.take_place(probe);
        self.silent += queue.silent() - before;
        queue.report_responsiveness(origin, &self.limits, &mut self.events);
        if probe {
            self.probe_limiter.resume();
        }
    }

    /// Gives silent origins their turns back, as many as there are places for.
    pub(super) fn resume_stalled(&mut self) {
        let free = self.limits.silent().saturating_sub(self.silent);
        let resumed = self.stalled.len().min(free);
        self.turns.extend(self.stalled.drain(..resumed).map(Turn::Of));
    }

    /// Does the same after an item has ended. An origin that answers has nothing to wait for.
    pub(super) fn resume(&mut self, origin: &Origin, signal: OriginSignal) {
        let place =
            self.stalled.iter().position(|stalled| matches!(signal, OriginSignal::Reached) && stalled == origin);
        if let Some(place) = place {
            self.turns.extend(self.stalled.remove(place).map(Turn::Of));
        }
        self.resume_stalled();
    }
}
