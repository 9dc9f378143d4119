use std::collections::{HashMap, VecDeque};

use super::{Asker, Bounds, Flow};
use crate::address::origin::Origin;

/// Which of the two rooms a flow's rows take up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// That of origins that are well.
    Well,
    /// That of origins in trouble, or that do not answer.
    Troubled,
}

impl Kind {
    pub(super) const ALL: [Self; 2] = [Self::Well, Self::Troubled];

    /// How much of each room there is: rows, and bytes.
    fn size(self, bounds: Bounds) -> (usize, usize) {
        match self {
            Self::Well => (bounds.total, bounds.bytes),
            Self::Troubled => (bounds.total.div_ceil(2), bounds.bytes.div_ceil(2)),
        }
    }
}

/// Both rooms.
#[derive(Debug, Default)]
pub(super) struct Rooms([Room; 2]);

#[derive(Debug, Default)]
struct Room {
    claimed: usize,
    bytes: usize,
    /// Of those who have something in it, or something parked.
    parts: HashMap<Asker, Part>,
}

/// What one asker has of a room.
#[derive(Debug, Default)]
struct Part {
    claimed: usize,
    bytes: usize,
    /// Origins with parked keys of the asker's and room for them, longest waiting first; and whether they are patient ones.
    resumable: VecDeque<(Origin, bool)>,
}

impl Part {
    fn is_empty(&self) -> bool {
        self.claimed == 0 && self.resumable.is_empty()
    }
}

impl Rooms {
    /// How many more rows anybody may claim.
    pub(super) fn left(&self, kind: Kind, bounds: Bounds) -> usize {
        let room = &self.0[kind as usize];
        let (total, bytes) = kind.size(bounds);
        if room.bytes >= bytes { 0 } else { total.saturating_sub(room.claimed) }
    }

    /// How many more rows one asker may claim: it may have no more than it leaves free. So one alone gets half, two a third
    /// each, and whoever comes next finds room.
    pub(super) fn left_for(&self, kind: Kind, asker: Asker, bounds: Bounds) -> usize {
        let room = &self.0[kind as usize];
        let left = self.left(kind, bounds);
        let (claimed, bytes) = room.parts.get(&asker).map_or((0, 0), |part| (part.claimed, part.bytes));
        let free_bytes = kind.size(bounds).1.saturating_sub(room.bytes);
        // The last one of all may be had: with fewer rows than askers there is nothing to leave free.
        if bytes > free_bytes { 0 } else { left.saturating_sub(claimed).div_ceil(2) }
    }

    /// Claimed rows of a flow come.
    pub(super) fn take_up(&mut self, kind: Kind, asker: Option<Asker>, claimed: usize, bytes: usize) {
        let room = &mut self.0[kind as usize];
        room.claimed += claimed;
        room.bytes += bytes;
        if let Some(asker) = asker {
            let part = room.parts.entry(asker).or_default();
            part.claimed += claimed;
            part.bytes += bytes;
        }
    }

    /// Claimed rows of a flow go.
    pub(super) fn give_up(&mut self, kind: Kind, asker: Option<Asker>, claimed: usize, bytes: usize) {
        let room = &mut self.0[kind as usize];
        room.claimed -= claimed;
        room.bytes -= bytes;
        if let Some(asker) = asker
            && let Some(part) = room.parts.get_mut(&asker)
        {
            part.claimed -= claimed;
            part.bytes -= bytes;
            if part.is_empty() {
                room.parts.remove(&asker);
            }
        }
    }

    /// A flow has parked keys and room for them.
    pub(super) fn queue(&mut self, kind: Kind, flow: &Flow) {
        let part = self.0[kind as usize].parts.entry(flow.asker).or_default();
        part.resumable.push_back((flow.origin.clone(), flow.patient));
    }

    /// A flow has not any more.
    pub(super) fn unqueue(&mut self, kind: Kind, flow: &Flow) {
        let parts = &mut self.0[kind as usize].parts;
        if let Some(part) = parts.get_mut(&flow.asker) {
            part.resumable.retain(|(origin, patient)| *origin != flow.origin || *patient != flow.patient);
            if part.is_empty() {
                parts.remove(&flow.asker);
            }
        }
    }

    /// Those who have flows with parked keys, and how many such flows.
    pub(super) fn waiting(&self, kind: Kind) -> impl Iterator<Item = (Asker, usize)> {
        let waits = |(&asker, part): (&Asker, &Part)| (asker, part.resumable.len());
        self.0[kind as usize].parts.iter().map(waits).filter(|&(_, flows)| flows > 0)
    }

    /// The flow of an asker's that has waited longest.
    pub(super) fn next(&mut self, kind: Kind, asker: Asker) -> Option<Flow> {
        let parts = &mut self.0[kind as usize].parts;
        let part = parts.get_mut(&asker)?;
        let next = part.resumable.pop_front();
        if part.is_empty() {
            parts.remove(&asker);
        }
        next.map(|(origin, patient)| Flow { origin, asker, patient })
    }

    /// No flow has parked keys.
    pub(super) fn unqueue_all(&mut self) {
        for room in &mut self.0 {
            room.parts.retain(|_, part| {
                part.resumable.clear();
                part.claimed > 0
            });
        }
    }
}
