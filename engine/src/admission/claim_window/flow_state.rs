use roaring::RoaringTreemap;

use super::capacity_pools::{CapacityPools, PoolKind};
use super::{Bounds, Flow};
use crate::dispatch::origin_health::OriginHealth;

/// What is known of one flow.
#[derive(Debug)]
pub(super) struct FlowState {
    pub(super) claimed: usize,
    pub(super) bytes: usize,
    pub(super) parked: RoaringTreemap,
    /// Whether the flow is queued for its parked keys to be resumed.
    pub(super) resumable: bool,
    /// Whether its requests have attempts left. They wait while the origin is deferred.
    patient: bool,
    /// Health of the origin, apart from a deferral.
    pub(super) health: OriginHealth,
    /// Whether the origin is deferred: it asked for a pause.
    pub(super) deferred: bool,
    /// Whether the origin was connected to, or a request of the flow has ended.
    pub(super) tried: bool,
    /// Whether the origin accepts connections and does not answer, or its name hangs.
    pub(super) silent: bool,
}

impl FlowState {
    pub(super) fn new(patient: bool, health: OriginHealth, deferred: bool, silent: bool) -> Self {
        Self {
            claimed: 0,
            bytes: 0,
            parked: RoaringTreemap::new(),
            resumable: false,
            patient,
            health,
            deferred,
            tried: false,
            silent,
        }
    }

    /// Whether the flow waits until the deferral of its origin ends.
    fn waits(&self) -> bool {
        self.deferred && self.patient
    }

    pub(super) fn kind(&self) -> PoolKind {
        if self.health == OriginHealth::Healthy && !self.silent && !self.waits() {
            PoolKind::Healthy
        } else {
            PoolKind::Troubled
        }
    }

    pub(super) fn reserve(&mut self, bytes: usize) {
        self.claimed += 1;
        self.bytes += bytes;
    }

    /// How many more rows the bound of the flow allows.
    pub(super) fn left(&self, bounds: &Bounds) -> usize {
        self.most(bounds).saturating_sub(self.claimed)
    }

    fn most(&self, bounds: &Bounds) -> usize {
        match self.health {
            _ if self.waits() => 0,
            OriginHealth::Healthy if self.tried => bounds.per_flow,
            _ => bounds.per_flow.min(bounds.per_flow_untried),
        }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.claimed == 0 && self.parked.is_empty()
    }

    pub(super) fn queue_if_resumable(&mut self, flow: &Flow, bounds: &Bounds, pools: &mut CapacityPools) {
        // The requests of a sick origin end one by one. Their rows are fetched several at a time.
        let enough = if self.health == OriginHealth::Probing { self.most(bounds).div_ceil(2) } else { 1 };
        if !self.resumable && !self.parked.is_empty() && self.left(bounds) >= enough {
            self.resumable = true;
            pools.queue(self.kind(), flow);
        }
    }
}
