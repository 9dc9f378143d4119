use roaring::RoaringTreemap;

use super::Flow;
use super::rooms::{Kind, Rooms};
use crate::standing::Standing;

/// What one flow has of the window.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) claimed: usize,
    pub(super) bytes: usize,
    pub(super) parked: RoaringTreemap,
    /// Whether the flow is queued for its parked keys to be resumed.
    pub(super) resumable: bool,
    pub(super) standing: Standing,
}

impl Share {
    pub(super) fn new(standing: Standing) -> Self {
        Self { claimed: 0, bytes: 0, parked: RoaringTreemap::new(), resumable: false, standing }
    }

    pub(super) fn kind(&self) -> Kind {
        Kind::of(self.standing)
    }

    pub(super) fn take_up(&mut self, bytes: usize) {
        self.claimed += 1;
        self.bytes += bytes;
    }

    /// How many more the flow's own bound allows.
    pub(super) fn left(&self, per_flow: usize) -> usize {
        match self.standing {
            Standing::Held => 0,
            Standing::Open | Standing::Probed => per_flow.saturating_sub(self.claimed),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.claimed == 0 && self.parked.is_empty()
    }

    pub(super) fn queue_if_resumable(&mut self, flow: &Flow, per_flow: usize, rooms: &mut Rooms) {
        if !self.resumable && !self.parked.is_empty() && self.left(per_flow) > 0 {
            self.resumable = true;
            rooms.queue(self.kind(), flow);
        }
    }
}
