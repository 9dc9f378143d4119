//! Which of the host's waiting requests may be claimed.
//!
//! The host reads its queue in order of the keys and offers every row that it meets. The window says whether to claim it
//! now, or that its flow, which is what one asker sends to one origin, has enough claimed: then the key is *parked*, and the
//! host reads on, so that the rows of other flows behind it are not held up, however many there are. When a flow has room
//! again, the window names the parked keys to fetch. A parked key costs a bit or two of memory, not a row.
//!
//! Nobody gets all there is: an asker has at most as much as it leaves free. What is claimed for origins in trouble, or that
//! do not answer, which may stay so for long, has a room of its own: it takes none from the others. Of an origin that may turn out to be in trouble,
//! since nothing was heard of it yet, only a few rows are claimed: many such origins take a part of the room, too, not all of it.

mod capacity_pools;
mod flow_state;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};

use capacity_pools::{Kind, Rooms};
use flow_state::Share;

use crate::address::origin::Origin;
use crate::dispatch::origin_health::{Pace, Standing};
use crate::message::key::Key;

/// Who asked for a request: a number of the host's, which the engine does not look into.
pub type Asker = u32;

/// What one asker sends to one origin.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Flow {
    /// Where it goes first.
    pub origin: Origin,
    /// Who asked for it.
    pub asker: Asker,
    /// Whether its requests have attempts left: then they wait where the origin asks to be left alone.
    pub patient: bool,
}

/// How much may be claimed at once: what is in flight and what stands ready to go. One asker alone gets half of the total.
/// For origins in trouble, and those that do not answer, it is as much again, in total, as half of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Over all flows.
    pub total: usize,
    /// For one flow.
    pub per_flow: usize,
    /// For one flow while its origin is in trouble, or nothing was heard of it yet.
    pub per_flow_untried: usize,
    /// Bytes over all flows. What is claimed last may go beyond.
    pub bytes: usize,
}

/// What to do with a row that was offered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Take it; it counts as claimed until [`Window::finish`].
    Claim,
    /// Leave it; its key comes back from [`Window::resume`].
    Parked,
    /// Leave it; it is claimed or parked already.
    Known,
}

/// The claimed and the parked keys. `T` is what the host wants to remember of a claimed row.
#[derive(Debug)]
pub struct Window<T> {
    bounds: Bounds,
    claimed: HashMap<Key, Claimed<T>>,
    flows: HashMap<Flow, Share>,
    /// Of the origins that are not healthy.
    standings: HashMap<Origin, Standing>,
    /// The origins that ask to be left alone.
    held: HashSet<Origin>,
    /// The origins that do not answer though they can be connected to, and those whose names hang.
    silent: HashSet<Origin>,
    rooms: Rooms,
}

#[derive(Debug)]
struct Claimed<T> {
    flow: Option<Flow>,
    bytes: usize,
    tag: T,
}

impl<T> Window<T> {
    /// An empty window.
    pub fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            claimed: HashMap::new(),
            flows: HashMap::new(),
            standings: HashMap::new(),
            held: HashSet::new(),
            silent: HashSet::new(),
            rooms: Rooms::default(),
        }
    }

    /// Changes the bounds. What is claimed beyond the new ones stays so.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        for (flow, share) in &mut self.flows {
            share.queue_if_resumable(flow, &bounds, &mut self.rooms);
        }
    }

    /// Hears how an origin is doing: patient flows to one that is deferred get no rows at all until it is not, others what they
    /// had before; and those of one that is sick take no room from the others.
    pub fn set_standing(&mut self, origin: &Origin, standing: Standing) {
        if standing == Standing::Deferred {
            if self.held.insert(origin.clone()) {
                self.change(origin, |share| share.held = true);
            }
            return;
        }
        let was_held = self.held.remove(origin);
        if standing == self.standing(origin) && !was_held {
            return;
        }
        match standing {
            Standing::Probing => self.standings.insert(origin.clone(), standing),
            _ => self.standings.remove(origin),
        };
        self.change(origin, |share| {
            share.standing = standing;
            share.held = false;
        });
    }

    /// Hears whether an origin answers, as far as it can be connected to. Where it does not, or its name hangs, its rows take no
    /// room from the others, either.
    pub fn set_pace(&mut self, origin: &Origin, pace: Pace) {
        let silent = matches!(pace, Pace::Silent | Pace::Hanging);
        let tried = matches!(pace, Pace::Silent | Pace::Answering);
        if silent {
            self.silent.insert(origin.clone());
        } else {
            self.silent.remove(origin);
        }
        self.change(origin, |share| {
            share.tried |= tried;
            share.silent = silent;
        });
    }

    /// Changes what is known of an origin. Rare, and the flows are those that have something claimed or parked.
    fn change(&mut self, origin: &Origin, change: impl Fn(&mut Share)) {
        for (flow, share) in self.flows.iter_mut().filter(|(flow, _)| flow.origin == *origin) {
            let before = share.kind();
            if std::mem::take(&mut share.resumable) {
                self.rooms.unqueue(before, flow);
            }
            change(share);
            let after = share.kind();
            if before != after {
                self.rooms.give_up(before, Some(flow.asker), share.claimed, share.bytes);
                self.rooms.take_up(after, Some(flow.asker), share.claimed, share.bytes);
            }
            share.queue_if_resumable(flow, &self.bounds, &mut self.rooms);
        }
    }

    /// How many more rows may be claimed of origins that are well, whoever asked.
    pub fn room(&self) -> usize {
        self.rooms.left(Kind::Well, self.bounds)
    }

    /// How many more rows of one flow may be claimed.
    pub fn room_for(&self, flow: &Flow) -> usize {
        let (own, kind) = match self.flows.get(flow) {
            Some(share) => (share.left(&self.bounds), share.kind()),
            None => {
                let share = self.new_share(flow);
                (share.left(&self.bounds), share.kind())
            }
        };
        own.min(self.rooms.left_for(kind, flow.asker, self.bounds))
    }

    /// Whether a flow's rows are likely to go out soon: its origin answers, as far as is known.
    pub fn is_quick(&self, flow: &Flow) -> bool {
        self.flows.get(flow).is_some_and(|share| share.tried && share.kind() == Kind::Well)
    }

    fn standing(&self, origin: &Origin) -> Standing {
        // Mostly there is none in trouble, and nothing to look for.
        if self.standings.is_empty() {
            return Standing::Healthy;
        }
        self.standings.get(origin).copied().unwrap_or(Standing::Healthy)
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
        let could = |kind| self.rooms.waiting(kind).any(|(asker, _)| self.rooms.left_for(kind, asker, self.bounds) > 0);
        Kind::ALL.into_iter().any(could)
    }

    /// Decides about a row met in the queue, which takes this many bytes in memory. Parked keys of the same flow go first, so
    /// that a flow's requests start in order.
    pub fn offer(&mut self, key: Key, flow: &Flow, bytes: usize, tag: impl FnOnce() -> T) -> Verdict {
        if self.claimed.contains_key(&key) {
            return Verdict::Known;
        }
        let has_room = self.room_for(flow) > 0;
        let share = self.share(flow);
        if share.parked.contains(key as u64) {
            return Verdict::Known;
        }
        if !has_room || !share.parked.is_empty() {
            self.park(key, flow);
            return Verdict::Parked;
        }
        self.take(key, flow, bytes, tag());
        Verdict::Claim
    }

    /// Claims a row that is past parking: one that [`resume`](Self::resume) named, or, without a flow, one that cannot be
    /// sent and only waits for its failure to be recorded. False if it is claimed already, or there is no room for it after
    /// all: then it is parked again.
    pub fn claim(&mut self, key: Key, flow: Option<&Flow>, bytes: usize, tag: T) -> bool {
        if self.claimed.contains_key(&key) {
            return false;
        }
        let Some(flow) = flow else {
            self.rooms.take_up(Kind::Well, None, 1, bytes);
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

    fn share(&mut self, flow: &Flow) -> &mut Share {
        if !self.flows.contains_key(flow) {
            let share = self.new_share(flow);
            self.flows.insert(flow.clone(), share);
        }
        self.flows.get_mut(flow).expect("it was made if it was not there")
    }

    fn new_share(&self, flow: &Flow) -> Share {
        let held = !self.held.is_empty() && self.held.contains(&flow.origin);
        Share::new(flow.patient, self.standing(&flow.origin), held, self.silent.contains(&flow.origin))
    }

    fn take(&mut self, key: Key, flow: &Flow, bytes: usize, tag: T) {
        let share = self.share(flow);
        share.take_up(bytes);
        let kind = share.kind();
        self.rooms.take_up(kind, Some(flow.asker), 1, bytes);
        self.claimed.insert(key, Claimed { flow: Some(flow.clone()), bytes, tag });
    }

    fn park(&mut self, key: Key, flow: &Flow) {
        self.share(flow).parked.insert(key as u64);
        if let Some(share) = self.flows.get_mut(flow) {
            share.queue_if_resumable(flow, &self.bounds, &mut self.rooms);
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

    /// What was remembered of a claimed row that `wanted` admits.
    pub fn find(&self, wanted: impl Fn(&T) -> bool) -> Option<&T> {
        self.claimed.values().map(|claimed| &claimed.tag).find(|tag| wanted(tag))
    }

    /// Ends a claim: the outcome is recorded, or the row is gone.
    pub fn finish(&mut self, key: Key) -> Option<T> {
        self.release(key, false)
    }

    /// Takes a claim back: the row is still to be sent. Its key is parked.
    pub fn give_back(&mut self, key: Key) -> Option<T> {
        self.release(key, true)
    }

    fn release(&mut self, key: Key, park: bool) -> Option<T> {
        let Claimed { flow, bytes, tag } = self.claimed.remove(&key)?;
        let Some(flow) = flow else {
            self.rooms.give_up(Kind::Well, None, 1, bytes);
            return Some(tag);
        };
        if let Some(share) = self.flows.get_mut(&flow) {
            share.claimed -= 1;
            share.bytes -= bytes;
            self.rooms.give_up(share.kind(), Some(flow.asker), 1, bytes);
            if park {
                share.parked.insert(key as u64);
            } else {
                share.tried = true;
            }
            share.queue_if_resumable(&flow, &self.bounds, &mut self.rooms);
            self.forget_if_idle(&flow);
        }
        Some(tag)
    }

    /// Takes up to `most` parked keys whose flows have room, an equal part from each asker and from each of its flows, to be
    /// fetched and then given to [`claim`](Self::claim). A key that is not found is forgotten.
    pub fn resume(&mut self, most: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        for kind in Kind::ALL {
            let waiting: Vec<_> = self.rooms.waiting(kind).collect();
            let left = (most - keys.len()).min(self.rooms.left(kind, self.bounds));
            let part = left.div_ceil(waiting.len().max(1));
            for (asker, flows) in waiting {
                let part = part.min(most - keys.len()).min(self.rooms.left_for(kind, asker, self.bounds));
                self.resume_of(kind, asker, flows, part, &mut keys);
            }
        }
        keys
    }

    fn resume_of(&mut self, kind: Kind, asker: Asker, flows: usize, most: usize, keys: &mut Vec<Key>) {
        let mut left = most;
        let part = left.div_ceil(flows.max(1));
        for _ in 0..flows {
            if left == 0 {
                break;
            }
            let Some(flow) = self.rooms.next(kind, asker) else { break };
            let Some(share) = self.flows.get_mut(&flow) else { continue };
            share.resumable = false;
            let take = part.min(left).min(share.left(&self.bounds));
            for _ in 0..take {
                let Some(key) = share.parked.min() else { break };
                share.parked.remove(key);
                keys.push(key as Key);
                left -= 1;
            }
            // The fetched ones are not claimed yet; the next round sees what room they left.
            share.queue_if_resumable(&flow, &self.bounds, &mut self.rooms);
            self.forget_if_idle(&flow);
        }
    }

    fn forget_if_idle(&mut self, flow: &Flow) {
        if self.flows.get(flow).is_some_and(Share::is_idle) {
            self.flows.remove(flow);
        }
    }

    /// Forgets the parked keys: the host reads its queue again from the start and offers them anew.
    pub fn forget_parked(&mut self) {
        self.rooms.unqueue_all();
        self.flows.retain(|_, share| {
            share.parked.clear();
            share.resumable = false;
            !share.is_idle()
        });
    }

    /// Forgets all keys, but not how the origins are doing. Gives what was claimed.
    pub fn clear(&mut self) -> impl Iterator<Item = (Key, T)> + use<T> {
        self.rooms = Rooms::default();
        self.flows.clear();
        std::mem::take(&mut self.claimed).into_iter().map(|(key, claimed)| (key, claimed.tag))
    }

    /// Takes every origin to be well: the engine that said otherwise is gone.
    pub fn forget_standings(&mut self) {
        let origins: HashSet<_> = self.standings.keys().chain(&self.held).cloned().collect();
        for origin in origins {
            self.set_standing(&origin, Standing::Healthy);
        }
        for origin in std::mem::take(&mut self.silent) {
            self.change(&origin, |share| share.silent = false);
        }
    }
}
