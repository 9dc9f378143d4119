use std::collections::{HashMap, VecDeque};

use super::{Bounds, Flow, Tenant};
use crate::address::origin::Origin;

/// Which pool the rows of a flow are counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PoolKind {
    /// Origins that are healthy, as far as is known.
    Healthy,
    /// Origins that are sick, deferred or silent.
    Troubled,
}

impl PoolKind {
    pub(super) const ALL: [Self; 2] = [Self::Healthy, Self::Troubled];

    /// The size of the pool, in rows and in bytes.
    fn size(self, bounds: Bounds) -> (usize, usize) {
        match self {
            Self::Healthy => (bounds.total, bounds.bytes),
            Self::Troubled => (bounds.total.div_ceil(2), bounds.bytes.div_ceil(2)),
        }
    }
}

/// Both pools: what is claimed, and who waits to claim more.
#[derive(Debug, Default)]
pub(super) struct CapacityPools([CapacityPool; 2]);

#[derive(Debug, Default)]
struct CapacityPool {
    claimed: usize,
    bytes: usize,
    /// Those that have rows claimed or parked.
    tenants: HashMap<Tenant, TenantUsage>,
}

/// What one tenant uses of a pool.
#[derive(Debug, Default)]
struct TenantUsage {
    claimed: usize,
    bytes: usize,
    /// Origin and patience of the tenant's flows that have parked keys and room for them. The longest waiting comes
    /// first.
    resumable: VecDeque<(Origin, bool)>,
}

impl TenantUsage {
    fn is_empty(&self) -> bool {
        self.claimed == 0 && self.resumable.is_empty()
    }
}

impl CapacityPools {
    /// How many more rows may be claimed, over all tenants.
    pub(super) fn left(&self, kind: PoolKind, bounds: Bounds) -> usize {
        let pool = &self.0[kind as usize];
        let (total, bytes) = kind.size(bounds);
        if pool.bytes >= bytes { 0 } else { total.saturating_sub(pool.claimed) }
    }

    /// How many more rows one tenant may claim. A tenant never has more than what is left free, so that a new one
    /// always finds room: one tenant alone gets half of the pool, two get a third each.
    pub(super) fn left_for(&self, kind: PoolKind, tenant: Tenant, bounds: Bounds) -> usize {
        let pool = &self.0[kind as usize];
        let left = self.left(kind, bounds);
        let (claimed, bytes) = pool.tenants.get(&tenant).map_or((0, 0), |usage| (usage.claimed, usage.bytes));
        let free_bytes = kind.size(bounds).1.saturating_sub(pool.bytes);
        // Rounded up, so that the last row of the pool can be claimed.
        if bytes > free_bytes { 0 } else { left.saturating_sub(claimed).div_ceil(2) }
    }

    /// Counts rows that are claimed.
    pub(super) fn reserve(&mut self, kind: PoolKind, tenant: Option<Tenant>, claimed: usize, bytes: usize) {
        let pool = &mut self.0[kind as usize];
        pool.claimed += claimed;
        pool.bytes += bytes;
        if let Some(tenant) = tenant {
            let usage = pool.tenants.entry(tenant).or_default();
            usage.claimed += claimed;
            usage.bytes += bytes;
        }
    }

    /// Counts rows that are not claimed any more.
    pub(super) fn release(&mut self, kind: PoolKind, tenant: Option<Tenant>, claimed: usize, bytes: usize) {
        let pool = &mut self.0[kind as usize];
        pool.claimed -= claimed;
        pool.bytes -= bytes;
        if let Some(tenant) = tenant
            && let Some(usage) = pool.tenants.get_mut(&tenant)
        {
            usage.claimed -= claimed;
            usage.bytes -= bytes;
            if usage.is_empty() {
                pool.tenants.remove(&tenant);
            }
        }
    }

    /// Queues a flow that has parked keys and room for them.
    pub(super) fn queue(&mut self, kind: PoolKind, flow: &Flow) {
        let usage = self.0[kind as usize].tenants.entry(flow.tenant).or_default();
        usage.resumable.push_back((flow.origin.clone(), flow.patient));
    }

    /// Takes a flow out of that queue.
    pub(super) fn unqueue(&mut self, kind: PoolKind, flow: &Flow) {
        let tenants = &mut self.0[kind as usize].tenants;
        if let Some(usage) = tenants.get_mut(&flow.tenant) {
            usage.resumable.retain(|(origin, patient)| *origin != flow.origin || *patient != flow.patient);
            if usage.is_empty() {
                tenants.remove(&flow.tenant);
            }
        }
    }

    /// The tenants that have queued flows, and how many.
    pub(super) fn waiting(&self, kind: PoolKind) -> impl Iterator<Item = (Tenant, usize)> {
        let waits = |(&tenant, usage): (&Tenant, &TenantUsage)| (tenant, usage.resumable.len());
        self.0[kind as usize].tenants.iter().map(waits).filter(|&(_, flows)| flows > 0)
    }

    /// Takes the flow of a tenant that has waited longest out of the queue.
    pub(super) fn next(&mut self, kind: PoolKind, tenant: Tenant) -> Option<Flow> {
        let tenants = &mut self.0[kind as usize].tenants;
        let usage = tenants.get_mut(&tenant)?;
        let next = usage.resumable.pop_front();
        if usage.is_empty() {
            tenants.remove(&tenant);
        }
        next.map(|(origin, patient)| Flow { origin, tenant, patient })
    }

    /// Empties the queues.
    pub(super) fn unqueue_all(&mut self) {
        for pool in &mut self.0 {
            pool.tenants.retain(|_, usage| {
                usage.resumable.clear();
                usage.claimed > 0
            });
        }
    }
}
