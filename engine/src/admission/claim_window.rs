//! Which of the host's waiting requests may be claimed.
//!
//! The host reads its queue in the order of the keys and offers every row to the window. The window answers whether
//! to claim the row now. Where its flow, which is what one tenant sends to one origin, has enough rows claimed, the
//! key is *parked* and the host reads on: a long flow does not hold up the rows of others behind it. When a flow has
//! room again, the window names the parked keys to fetch. A parked key costs a bit or two of memory, not a row.
//!
//! A tenant never has more rows claimed than are left free. Rows of origins that are sick, deferred or silent may
//! stay claimed for long. They are counted in a pool of their own and take no room from the others. Of an origin that
//! nothing is known of yet, only a few rows are claimed, so that many unknown origins cannot fill the window either.

mod capacity_pools;
mod flow_state;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use capacity_pools::{CapacityPools, PoolKind};
use flow_state::FlowState;

use crate::address::origin::Origin;
use crate::dispatch::origin_health::{OriginHealth, Responsiveness};
use crate::message::key::Key;

/// Whom a request belongs to. The host chooses the numbers; the engine only compares them.
pub type Tenant = u32;

/// The requests of one tenant to one origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Where the requests go first; redirects may lead elsewhere.
    pub origin: Origin,
    /// Whom they belong to.
    pub tenant: Tenant,
    /// Whether they have attempts left. Those that do wait while the origin is deferred.
    pub patient: bool,
}

/// How much may be claimed at once: what is in flight and what is ready to start. One tenant alone gets half of the
/// total. The pool of origins that are sick, deferred or silent is half as large, and comes on top.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Over all flows.
    pub total: usize,
    /// For one flow.
    pub per_flow: usize,
    /// For one flow while its origin is sick, or nothing is known of it yet.
    pub per_flow_untried: usize,
    /// Bytes over all flows. The last row claimed may exceed it.
    pub bytes: usize,
}

/// What to do with a row that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it; it counts as claimed until [`ClaimWindow::finish`].
    Claim,
    /// Leave it; its key comes back from [`ClaimWindow::resume`].
    Parked,
    /// Leave it; it is claimed or parked already.
    Known,
}

/// The claimed and the parked keys. `T` is what the host wants to remember of a claimed row.
#[derive(Debug)]
pub struct ClaimWindow<T> {
    bounds: Bounds,
    claimed: HashMap<Key, Claimed<T>>,
    flows: HashMap<Flow, FlowState>,
    /// Health of the origins that are not healthy.
    unhealthy: HashMap<Origin, OriginHealth>,
    /// The origins that asked for a pause.
    deferred: HashSet<Origin>,
    /// The origins that accept connections and do not answer, and those whose names hang.
    silent: HashSet<Origin>,
    pools: CapacityPools,
}

#[derive(Debug)]
struct Claimed<T> {
    flow: Option<Flow>,
    bytes: usize,
    tag: T,
}

impl<T> ClaimWindow<T> {
    /// An empty window.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            claimed: HashMap::new(),
            flows: HashMap::new(),
            unhealthy: HashMap::new(),
            deferred: HashSet::new(),
            silent: HashSet::new(),
            pools: CapacityPools::default(),
        }
    }

    /// Changes the bounds. What is claimed beyond the new ones stays so.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        for (flow, state) in &mut self.flows {
            state.queue_if_resumable(flow, &bounds, &mut self.pools);
        }
    }

    /// Notes the health of an origin. While it is deferred, no rows of patient flows to it are claimed; other flows
    /// are not affected. Rows of a sick origin take no room from others.
    pub fn set_health(&mut self, origin: &Origin, health: OriginHealth) {
        if health == OriginHealth::Deferred {
            if self.deferred.insert(origin.clone()) {
                self.change(origin, |state| state.deferred = true);
            }
            return;
        }
        let was_deferred = self.deferred.remove(origin);
        if health == self.health(origin) && !was_deferred {
            return;
        }
        match health {
            OriginHealth::Probing => self.unhealthy.insert(origin.clone(), health),
            _ => self.unhealthy.remove(origin),
        };
        self.change(origin, |state| {
            state.health = health;
            state.deferred = false;
        });
    }

    /// Notes whether an origin answers. Rows of one that does not, or whose name hangs, take no room from others.
    pub fn set_responsiveness(&mut self, origin: &Origin, responsiveness: Responsiveness) {
        let silent = matches!(responsiveness, Responsiveness::Silent | Responsiveness::Hanging);
        let tried = matches!(responsiveness, Responsiveness::Silent | Responsiveness::Answering);
        if silent {
            self.silent.insert(origin.clone());
        } else {
            self.silent.remove(origin);
        }
        self.change(origin, |state| {
            state.tried |= tried;
            state.silent = silent;
        });
    }

    /// Changes what is known of an origin in all its flows. Rare, and only flows with claimed or parked rows are
    /// looked at.
    fn change(&mut self, origin: &Origin, change: impl Fn(&mut FlowState)) {
        for (flow, state) in self.flows.iter_mut().filter(|(flow, _)| flow.origin == *origin) {
            let before = state.kind();
            if std::mem::take(&mut state.resumable) {
                self.pools.unqueue(before, flow);
            }
            change(state);
            let after = state.kind();
            if before != after {
                self.pools.release(before, Some(flow.tenant), state.claimed, state.bytes);
                self.pools.reserve(after, Some(flow.tenant), state.claimed, state.bytes);
            }
            state.queue_if_resumable(flow, &self.bounds, &mut self.pools);
        }
    }

    /// How many more rows of healthy origins may be claimed, over all tenants.
    pub fn room(&self) -> usize {
        self.pools.left(PoolKind::Healthy, self.bounds)
    }

    /// How many more rows of one flow may be claimed.
    pub fn room_for(&self, flow: &Flow) -> usize {
        let (own, kind) = match self.flows.get(flow) {
            Some(state) => (state.left(&self.bounds), state.kind()),
            None => {
                let state = self.new_flow_state(flow);
                (state.left(&self.bounds), state.kind())
            }
        };
        own.min(self.pools.left_for(kind, flow.tenant, self.bounds))
    }

    /// Whether the rows of a flow are likely to go out soon, because its origin is known to answer.
    pub fn is_quick(&self, flow: &Flow) -> bool {
        self.flows.get(flow).is_some_and(|state| state.tried && state.kind() == PoolKind::Healthy)
    }

    fn health(&self, origin: &Origin) -> OriginHealth {
        // The common case: all origins are healthy.
        if self.unhealthy.is_empty() {
            return OriginHealth::Healthy;
        }
        self.unhealthy.get(origin).copied().unwrap_or(OriginHealth::Healthy)
    }

    /// How many are claimed.
    pub fn claimed(&self) -> usize {
        self.claimed.len()
    }

    /// Whether any keys are parked.
    pub fn has_parked(&self) -> bool {
        self.flows.values().any(|flow| !flow.parked.is_empty())
    }

    /// Whether parked keys could be claimed now.
    pub fn can_resume(&self) -> bool {
        let could =
            |kind| self.pools.waiting(kind).any(|(tenant, _)| self.pools.left_for(kind, tenant, self.bounds) > 0);
        PoolKind::ALL.into_iter().any(could)
    }

    /// Decides about a row of the queue, which takes this many bytes in memory. Parked keys of the same flow go
    /// first, so that the requests of a flow start in order.
    pub fn offer(&mut self, key: Key, flow: &Flow, bytes: usize, tag: impl FnOnce() -> T) -> Verdict {
        if self.claimed.contains_key(&key) {
            return Verdict::Known;
        }
        let has_room = self.room_for(flow) > 0;
        let state = self.flow_state(flow);
        if state.parked.contains(key as u64) {
            return Verdict::Known;
        }
        if !has_room || !state.parked.is_empty() {
            self.park(key, flow);
            return Verdict::Parked;
        }
        self.take(key, flow, bytes, tag());
        Verdict::Claim
    }

    /// Claims a row that [`resume`](Self::resume) named; or, without a flow, a row that cannot be sent and only waits
    /// for its failure to be recorded. False if the row is claimed already, or if there is no room after all: then it
    /// is parked again.
    pub fn claim(&mut self, key: Key, flow: Option<&Flow>, bytes: usize, tag: T) -> bool {
        if self.claimed.contains_key(&key) {
            return false;
        }
        let Some(flow) = flow else {
            self.pools.reserve(PoolKind::Healthy, None, 1, bytes);
            self.claimed.insert(key, Claimed { flow: None, bytes, tag });
            return true;
        };
        let has_room = self.room_for(flow) > 0;
        if has_room {
            self.take(key, flow, bytes, tag);
        } else {
            self.park(key, flow);
        }
        has_room
    }

    fn flow_state(&mut self, flow: &Flow) -> &mut FlowState {
        if !self.flows.contains_key(flow) {
            let state = self.new_flow_state(flow);
            self.flows.insert(flow.clone(), state);
        }
        self.flows.get_mut(flow).expect("it was made if it was not there")
    }

    fn new_flow_state(&self, flow: &Flow) -> FlowState {
        let deferred = !self.deferred.is_empty() && self.deferred.contains(&flow.origin);
        FlowState::new(flow.patient, self.health(&flow.origin), deferred, self.silent.contains(&flow.origin))
    }

    fn take(&mut self, key: Key, flow: &Flow, bytes: usize, tag: T) {
        let state = self.flow_state(flow);
        state.reserve(bytes);
        let kind = state.kind();
        self.pools.reserve(kind, Some(flow.tenant), 1, bytes);
        self.claimed.insert(key, Claimed { flow: Some(flow.clone()), bytes, tag });
    }

    fn park(&mut self, key: Key, flow: &Flow) {
        self.flow_state(flow).parked.insert(key as u64);
        if let Some(state) = self.flows.get_mut(flow) {
            state.queue_if_resumable(flow, &self.bounds, &mut self.pools);
        }
    }

    /// What was remembered of a claimed row.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.claimed.get(&key).map(|claimed| &claimed.tag)
    }

    /// The claimed rows, with what was remembered of each.
    pub fn iter(&self) -> impl Iterator<Item = (Key, &T)> {
        self.claimed.iter().map(|(&key, claimed)| (key, &claimed.tag))
    }

    /// What was remembered of a claimed row, the first for which `wanted` is true.
    pub fn find(&self, wanted: impl Fn(&T) -> bool) -> Option<&T> {
        self.claimed.values().map(|claimed| &claimed.tag).find(|tag| wanted(tag))
    }

    /// Ends a claim, because the outcome is recorded or the row is gone.
    pub fn finish(&mut self, key: Key) -> Option<T> {
        self.end(key, false)
    }

    /// Ends a claim of a row that is still to be sent. Its key is parked.
    pub fn give_back(&mut self, key: Key) -> Option<T> {
        self.end(key, true)
    }

    fn end(&mut self, key: Key, park: bool) -> Option<T> {
        let Claimed { flow, bytes, tag } = self.claimed.remove(&key)?;
        let Some(flow) = flow else {
            self.pools.release(PoolKind::Healthy, None, 1, bytes);
            return Some(tag);
        };
        if let Some(state) = self.flows.get_mut(&flow) {
            state.claimed -= 1;
            state.bytes -= bytes;
            self.pools.release(state.kind(), Some(flow.tenant), 1, bytes);
            if park {
                state.parked.insert(key as u64);
            } else {
                state.tried = true;
            }
            state.queue_if_resumable(&flow, &self.bounds, &mut self.pools);
            self.forget_if_idle(&flow);
        }
        Some(tag)
    }

    /// Gives up to `most` parked keys whose flows have room, an equal part of each tenant and of each of its flows.
    /// The host fetches their rows and hands them to [`claim`](Self::claim). A key without a row is forgotten.
    pub fn resume(&mut self, most: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        for kind in PoolKind::ALL {
            let waiting: Vec<_> = self.pools.waiting(kind).collect();
            let left = (most - keys.len()).min(self.pools.left(kind, self.bounds));
            let part = left.div_ceil(waiting.len().max(1));
            for (tenant, flows) in waiting {
                let part = part.min(most - keys.len()).min(self.pools.left_for(kind, tenant, self.bounds));
                self.resume_of(kind, tenant, flows, part, &mut keys);
            }
        }
        keys
    }

    fn resume_of(&mut self, kind: PoolKind, tenant: Tenant, flows: usize, most: usize, keys: &mut Vec<Key>) {
        let mut left = most;
        let part = left.div_ceil(flows.max(1));
        for _ in 0..flows {
            if left == 0 {
                break;
            }
            let Some(flow) = self.pools.next(kind, tenant) else { break };
            let Some(state) = self.flows.get_mut(&flow) else { continue };
            state.resumable = false;
            let take = part.min(left).min(state.left(&self.bounds));
            for _ in 0..take {
                let Some(key) = state.parked.min() else { break };
                state.parked.remove(key);
                keys.push(key as Key);
                left -= 1;
            }
            // The fetched ones are not claimed yet; the next round sees what room they left.
            state.queue_if_resumable(&flow, &self.bounds, &mut self.pools);
            self.forget_if_idle(&flow);
        }
    }

    fn forget_if_idle(&mut self, flow: &Flow) {
        if self.flows.get(flow).is_some_and(FlowState::is_idle) {
            self.flows.remove(flow);
        }
    }

    /// Forgets the parked keys. The host reads its queue from the start and offers them again.
    pub fn forget_parked(&mut self) {
        self.pools.unqueue_all();
        self.flows.retain(|_, state| {
            state.parked.clear();
            state.resumable = false;
            !state.is_idle()
        });
    }

    /// Forgets all keys, but not the health of the origins. Gives what was claimed.
    pub fn clear(&mut self) -> impl Iterator<Item = (Key, T)> + use<T> {
        self.pools = CapacityPools::default();
        self.flows.clear();
        std::mem::take(&mut self.claimed).into_iter().map(|(key, claimed)| (key, claimed.tag))
    }

    /// Takes every origin to be healthy, because the engine that said otherwise is gone.
    pub fn forget_health(&mut self) {
        let origins: HashSet<_> = self.unhealthy.keys().chain(&self.deferred).cloned().collect();
        for origin in origins {
            self.set_health(&origin, OriginHealth::Healthy);
        }
        for origin in std::mem::take(&mut self.silent) {
            self.change(&origin, |state| state.silent = false);
        }
    }
}
