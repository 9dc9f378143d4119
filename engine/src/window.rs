//! Which of the host's waiting requests may be claimed.
//!
//! The host reads its queue in order of the keys and offers every row that it meets. The window says whether to claim it
//! now, or that its origin has enough claimed: then the key is *parked*, and the host reads on, so that the rows of other
//! origins behind it are not held up, however many there are. When an origin has room again, the window names the parked
//! keys to fetch. A parked key costs a bit or two of memory, not a row.
//!
//! What is claimed for origins in trouble, which may stay so for long, has a room of its own: it takes none from the others.

use std::collections::{HashMap, VecDeque};

use roaring::RoaringTreemap;

use crate::origin::Origin;
use crate::request::Key;
use crate::standing::Standing;

/// How much may be claimed at once: what is in flight and what stands ready to go. For origins in trouble it is as much
/// again, in total, as half of this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Over all origins.
    pub total: usize,
    /// For one origin.
    pub per_origin: usize,
    /// Bytes over all origins. What is claimed last may go beyond.
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
    origins: HashMap<Origin, Share>,
    /// For origins that are well, and for those in trouble.
    rooms: [Room; 2],
}

#[derive(Debug)]
struct Claimed<T> {
    origin: Option<Origin>,
    bytes: usize,
    tag: T,
}

/// What the origins of one kind share.
#[derive(Debug, Default)]
struct Room {
    claimed: usize,
    bytes: usize,
    /// Origins with parked keys and room for them, longest waiting first.
    resumable: VecDeque<Origin>,
}

/// What one origin has of the window.
#[derive(Debug)]
struct Share {
    claimed: usize,
    bytes: usize,
    parked: RoaringTreemap,
    /// Whether the origin stands in `resumable`.
    resumable: bool,
    standing: Standing,
}

/// Which of the two rooms an origin's rows take up.
const WELL: usize = 0;
const TROUBLED: usize = 1;

impl<T> Window<T> {
    /// An empty window.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, claimed: HashMap::new(), origins: HashMap::new(), rooms: Default::default() }
    }

    /// Changes the bounds. What is claimed beyond the new ones stays so.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        for (origin, share) in &mut self.origins {
            share.queue_if_resumable(origin, bounds.per_origin, &mut self.rooms);
        }
    }

    /// Hears how an origin is doing: one that is held gets no rows at all until it is not, and those of one that is probed
    /// take no room from the others.
    pub fn set_standing(&mut self, origin: &Origin, standing: Standing) {
        let share = self.origins.entry(origin.clone()).or_default();
        let (before, after) = (share.room(), room_for_standing(standing));
        share.standing = standing;
        if before != after {
            self.rooms[before].give_up(share.claimed, share.bytes);
            self.rooms[after].take_up(share.claimed, share.bytes);
            if std::mem::take(&mut share.resumable) {
                self.rooms[before].resumable.retain(|other| other != origin);
            }
        }
        share.queue_if_resumable(origin, self.bounds.per_origin, &mut self.rooms);
        self.forget_if_idle(origin);
    }

    /// How many more rows may be claimed of origins that are well.
    pub fn room(&self) -> usize {
        self.room_in(WELL)
    }

    fn room_in(&self, room: usize) -> usize {
        let Bounds { total, bytes, .. } = self.bounds;
        let (total, bytes) = if room == WELL { (total, bytes) } else { (total.div_ceil(2), bytes.div_ceil(2)) };
        let Room { claimed, bytes: taken, .. } = self.rooms[room];
        if taken >= bytes { 0 } else { total.saturating_sub(claimed) }
    }

    /// How many more rows of one origin may be claimed.
    pub fn room_for(&self, origin: &Origin) -> usize {
        match self.origins.get(origin) {
            Some(share) => share.left(self.bounds.per_origin).min(self.room_in(share.room())),
            None => self.bounds.per_origin.min(self.room()),
        }
    }

    /// How many are claimed.
    pub fn claimed(&self) -> usize {
        self.claimed.len()
    }

    /// Whether parked keys could be claimed now.
    pub fn can_resume(&self) -> bool {
        [WELL, TROUBLED].iter().any(|&room| !self.rooms[room].resumable.is_empty() && self.room_in(room) > 0)
    }

    /// Decides about a row met in the queue, which takes this many bytes in memory. Parked keys of the same origin go first,
    /// so that an origin's requests start in order.
    pub fn offer(&mut self, key: Key, origin: &Origin, bytes: usize, tag: impl FnOnce() -> T) -> Verdict {
        if self.claimed.contains_key(&key) {
            return Verdict::Known;
        }
        let has_room = [WELL, TROUBLED].map(|room| self.room_in(room) > 0);
        let share = match self.origins.get_mut(origin) {
            Some(share) => share,
            None => self.origins.entry(origin.clone()).or_default(),
        };
        if share.parked.contains(key as u64) {
            return Verdict::Known;
        }
        let room = share.room();
        if has_room[room] && share.parked.is_empty() && share.left(self.bounds.per_origin) > 0 {
            share.take_up(bytes);
            self.rooms[room].take_up(1, bytes);
            self.claimed.insert(key, Claimed { origin: Some(origin.clone()), bytes, tag: tag() });
            return Verdict::Claim;
        }
        share.parked.insert(key as u64);
        share.queue_if_resumable(origin, self.bounds.per_origin, &mut self.rooms);
        Verdict::Parked
    }

    /// Claims a row that is past parking: one that [`resume`](Self::resume) named, or, without an origin, one that cannot be
    /// sent and only waits for its failure to be recorded. False if it is claimed already, or there is no room for it after
    /// all: then it is parked again.
    pub fn claim(&mut self, key: Key, origin: Option<&Origin>, bytes: usize, tag: T) -> bool {
        if self.claimed.contains_key(&key) {
            return false;
        }
        let mut room = WELL;
        if let Some(origin) = origin {
            let has_room = self.room_for(origin) > 0;
            let share = self.origins.entry(origin.clone()).or_default();
            if !has_room {
                share.parked.insert(key as u64);
                share.queue_if_resumable(origin, self.bounds.per_origin, &mut self.rooms);
                return false;
            }
            share.take_up(bytes);
            room = share.room();
        }
        self.rooms[room].take_up(1, bytes);
        self.claimed.insert(key, Claimed { origin: origin.cloned(), bytes, tag });
        true
    }

    /// What was remembered of a claimed row.
    pub fn get(&self, key: Key) -> Option<&T> {
        self.claimed.get(&key).map(|claimed| &claimed.tag)
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
        let Claimed { origin, bytes, tag } = self.claimed.remove(&key)?;
        let Some(origin) = origin else {
            self.rooms[WELL].give_up(1, bytes);
            return Some(tag);
        };
        if let Some(share) = self.origins.get_mut(&origin) {
            share.claimed -= 1;
            share.bytes -= bytes;
            self.rooms[share.room()].give_up(1, bytes);
            if park {
                share.parked.insert(key as u64);
            }
            share.queue_if_resumable(&origin, self.bounds.per_origin, &mut self.rooms);
            self.forget_if_idle(&origin);
        }
        Some(tag)
    }

    /// Takes up to `most` parked keys whose origins have room, an equal part from each, to be fetched and then given to
    /// [`claim`](Self::claim). A key that is not found is forgotten.
    pub fn resume(&mut self, most: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        for room in [WELL, TROUBLED] {
            let most = (most - keys.len()).min(self.room_in(room));
            self.resume_in(room, most, &mut keys);
        }
        keys
    }

    fn resume_in(&mut self, room: usize, most: usize, keys: &mut Vec<Key>) {
        let mut left = most;
        let waiting = self.rooms[room].resumable.len();
        let part = left.div_ceil(waiting.max(1));
        for _ in 0..waiting {
            if left == 0 {
                break;
            }
            let Some(origin) = self.rooms[room].resumable.pop_front() else { break };
            let Some(share) = self.origins.get_mut(&origin) else { continue };
            share.resumable = false;
            let take = part.min(left).min(share.left(self.bounds.per_origin));
            for _ in 0..take {
                let Some(key) = share.parked.min() else { break };
                share.parked.remove(key);
                keys.push(key as Key);
                left -= 1;
            }
            // The fetched ones are not claimed yet; the next round sees what room they left.
            share.queue_if_resumable(&origin, self.bounds.per_origin, &mut self.rooms);
            self.forget_if_idle(&origin);
        }
    }

    fn forget_if_idle(&mut self, origin: &Origin) {
        if self.origins.get(origin).is_some_and(Share::is_idle) {
            self.origins.remove(origin);
        }
    }

    /// Forgets the parked keys: the host reads its queue again from the start and offers them anew.
    pub fn forget_parked(&mut self) {
        for room in &mut self.rooms {
            room.resumable.clear();
        }
        self.origins.retain(|_, share| {
            share.parked.clear();
            share.resumable = false;
            !share.is_idle()
        });
    }

    /// Forgets all keys, but not how the origins are doing. Gives what was claimed.
    pub fn clear(&mut self) -> impl Iterator<Item = (Key, T)> + use<T> {
        self.rooms = Default::default();
        self.origins.retain(|_, share| {
            *share = Share { standing: share.standing, ..Share::default() };
            !share.is_idle()
        });
        std::mem::take(&mut self.claimed).into_iter().map(|(key, claimed)| (key, claimed.tag))
    }

    /// Takes every origin to be well: the engine that said otherwise is gone.
    pub fn forget_standings(&mut self) {
        let troubled = self.origins.iter().filter(|(_, share)| share.standing != Standing::Open);
        let origins = troubled.map(|(origin, _)| origin.clone()).collect::<Vec<_>>();
        for origin in origins {
            self.set_standing(&origin, Standing::Open);
        }
    }
}

impl Room {
    fn take_up(&mut self, claimed: usize, bytes: usize) {
        self.claimed += claimed;
        self.bytes += bytes;
    }

    fn give_up(&mut self, claimed: usize, bytes: usize) {
        self.claimed -= claimed;
        self.bytes -= bytes;
    }
}

impl Default for Share {
    fn default() -> Self {
        let parked = RoaringTreemap::new();
        Self { claimed: 0, bytes: 0, parked, resumable: false, standing: Standing::Open }
    }
}

impl Share {
    fn room(&self) -> usize {
        room_for_standing(self.standing)
    }

    fn take_up(&mut self, bytes: usize) {
        self.claimed += 1;
        self.bytes += bytes;
    }

    /// How many more the origin's own bound allows.
    fn left(&self, per_origin: usize) -> usize {
        match self.standing {
            Standing::Held => 0,
            Standing::Open | Standing::Probed => per_origin.saturating_sub(self.claimed),
        }
    }

    fn is_idle(&self) -> bool {
        self.claimed == 0 && self.parked.is_empty() && self.standing == Standing::Open
    }

    fn queue_if_resumable(&mut self, origin: &Origin, per_origin: usize, rooms: &mut [Room; 2]) {
        if !self.resumable && !self.parked.is_empty() && self.left(per_origin) > 0 {
            self.resumable = true;
            rooms[self.room()].resumable.push_back(origin.clone());
        }
    }
}

fn room_for_standing(standing: Standing) -> usize {
    match standing {
        Standing::Open => WELL,
        Standing::Probed | Standing::Held => TROUBLED,
    }
}

#[cfg(test)]
mod tests;
