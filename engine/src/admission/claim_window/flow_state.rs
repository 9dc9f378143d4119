use roaring::RoaringTreemap;

use super::capacity_pools::{Kind, Rooms};
use super::{Bounds, Flow};
use crate::dispatch::origin_health::Standing;

/// What one flow has of the window.
#[derive(Debug)]
pub(super) struct Share {
    pub(super) claimed: usize,
    pub(super) bytes: usize,
    pub(super) parked: RoaringTreemap,
    /// Whether the flow is queued for its parked keys to be resumed.
    pub(super) resumable: bool,
    /// Whether its requests have attempts left, and wait where the origin asks to be left alone.
    patient: bool,
    /// How the origin is doing, leaving that aside.
    pub(super) standing: Standing,
    /// Whether the origin asks to be left alone.
    pub(super) held: bool,
    /// Whether the origin can be connected to, as far as is known, or an outcome has come from it.
    pub(super) tried: bool,
    /// Whether the origin does not answer, though it can be connected to.
    pub(super) silent: bool,
}

impl Share {
    pub(super) fn new(patient: bool, standing: Standing, held: bool, silent: bool) -> Self {
        Self {
            claimed: 0,
            bytes: 0,
            parked: RoaringTreemap::new(),
            resumable: false,
            patient,
            standing,
            held,
            tried: false,
            silent,
        }
    }

    /// Whether it waits for the origin to be left alone.
    fn waits(&self) -> bool {
        self.held && self.patient
    }

    pub(super) fn kind(&self) -> Kind {
        if self.standing == Standing::Healthy && !self.silent && !self.waits() { Kind::Well } else { Kind::Troubled }
    }

    pub(super) fn take_up(&mut self, bytes: usize) {
        self.claimed += 1;
        self.bytes += bytes;
    }

    /// How many more the flow's own bound allows.
    pub(super) fn left(&self, bounds: &Bounds) -> usize {
        self.most(bounds).saturating_sub(self.claimed)
    }

    fn most(&self, bounds: &Bounds) -> usize {
        match self.standing {
            _ if self.waits() => 0,
            Standing::Healthy if self.tried => bounds.per_flow,
            _ => bounds.per_flow.min(bounds.per_flow_untried),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.claimed == 0 && self.parked.is_empty()
    }

    pub(super) fn queue_if_resumable(&mut self, flow: &Flow, bounds: &Bounds, rooms: &mut Rooms) {
        // Of those that fail one by one, several are fetched at a time.
        let enough = if self.standing == Standing::Probing { self.most(bounds).div_ceil(2) } else { 1 };
        if !self.resumable && !self.parked.is_empty() && self.left(bounds) >= enough {
            self.resumable = true;
            rooms.queue(self.kind(), flow);
        }
    }
}
