//! Places that are waited for by what had its turn, or given up by what cannot go on for a reason that no place helps with.

use std::time::Instant;

use super::{FairQueue, Turn};
use crate::address::origin::Origin;
use crate::dispatch::origin_queue::Queued;
use crate::dispatch::origin_signal::Reading;

impl<T: Queued> FairQueue<T> {
    /// Whether one more may be under way.
    pub(crate) fn has_place(&self) -> bool {
        self.under_way - self.placeless < self.limits.total
    }

    /// One that was started leaves its place to others, until it [takes](Self::take_place) one again.
    pub(crate) fn give_place_up(&mut self, origin: &Origin, probe: bool, now: Instant) {
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        self.placeless += 1;
        let before = lane.silent();
        lane.give_place_up(probe);
        self.silent -= before - lane.silent();
        self.news.paces.extend(lane.tell_pace(&self.limits).map(|pace| (origin.clone(), pace)));
        if probe {
            self.probes.finish();
        }
        self.resume_stalled();
        self.give_probes_their_turn(now);
    }

    /// It has a place again, or ends. That there is one is up to the caller.
    pub(crate) fn take_place(&mut self, origin: &Origin, probe: bool) {
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        self.placeless -= 1;
        let before = lane.silent();
        lane.take_place(probe);
        self.silent += lane.silent() - before;
        self.news.paces.extend(lane.tell_pace(&self.limits).map(|pace| (origin.clone(), pace)));
        if probe {
            self.probes.go_on();
        }
    }

    /// Gives those their turns back that had to wait for places of origins that do not answer, as many as there are.
    pub(super) fn resume_stalled(&mut self) {
        let free = self.limits.silent().saturating_sub(self.silent);
        let resumed = self.stalled.len().min(free);
        self.turns.extend(self.stalled.drain(..resumed).map(Turn::Of));
    }

    pub(super) fn resume(&mut self, origin: &Origin, reading: Reading) {
        // One that answers has nothing to wait for.
        let place = self.stalled.iter().position(|stalled| matches!(reading, Reading::Reached) && stalled == origin);
        if let Some(place) = place {
            self.turns.extend(self.stalled.remove(place).map(Turn::Of));
        }
        self.resume_stalled();
    }
}
