//! Which of the host's waiting requests may be claimed.
//!
//! The host reads its queue in order of the keys and offers every row that it meets. The window says whether to claim it
//! now, or that its origin has enough claimed: then the key is *parked*, and the host reads on, so that the rows of other
//! origins behind it are not held up, however many there are. When an origin has room again, the window names the parked
//! keys to fetch. A parked key costs a bit or two of memory, not a row.

use std::collections::{HashMap, VecDeque};

use roaring::RoaringTreemap;

use crate::origin::Origin;
use crate::request::Key;

/// How much may be claimed at once: what is in flight and what stands ready to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// Over all origins.
    pub total: usize,
    /// For one origin.
    pub per_origin: usize,
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
    /// Origins with parked keys and room for them, longest waiting first.
    resumable: VecDeque<Origin>,
}

#[derive(Debug)]
struct Claimed<T> {
    origin: Option<Origin>,
    tag: T,
}

/// What one origin has of the window.
#[derive(Debug, Default)]
struct Share {
    claimed: usize,
    parked: RoaringTreemap,
    /// Whether the origin stands in `resumable`.
    resumable: bool,
}

impl<T> Window<T> {
    /// An empty window.
    pub fn new(bounds: Bounds) -> Self {
        Self { bounds, claimed: HashMap::new(), origins: HashMap::new(), resumable: VecDeque::new() }
    }

    /// Changes the bounds. What is claimed beyond the new ones stays so.
    pub fn set_bounds(&mut self, bounds: Bounds) {
        self.bounds = bounds;
        let Self { origins, resumable, .. } = self;
        for (origin, share) in origins {
            share.queue_if_resumable(origin, bounds.per_origin, resumable);
        }
    }

    /// How many more rows may be claimed.
    pub fn room(&self) -> usize {
        self.bounds.total.saturating_sub(self.claimed.len())
    }

    /// How many more rows of one origin may be claimed.
    pub fn room_for(&self, origin: &Origin) -> usize {
        let claimed = self.origins.get(origin).map_or(0, |share| share.claimed);
        self.bounds.per_origin.saturating_sub(claimed).min(self.room())
    }

    /// How many are claimed.
    pub fn claimed(&self) -> usize {
        self.claimed.len()
    }

    /// Whether parked keys could be claimed now.
    pub fn can_resume(&self) -> bool {
        self.room() > 0 && !self.resumable.is_empty()
    }

    /// Decides about a row met in the queue. Parked keys of the same origin go first, so that an origin's requests start in
    /// order.
    pub fn offer(&mut self, key: Key, origin: &Origin, tag: impl FnOnce() -> T) -> Verdict {
        if self.claimed.contains_key(&key) {
            return Verdict::Known;
        }
        let share = match self.origins.get_mut(origin) {
            Some(share) => share,
            None => self.origins.entry(origin.clone()).or_default(),
        };
        if share.parked.contains(key as u64) {
            return Verdict::Known;
        }
        if share.claimed >= self.bounds.per_origin || !share.parked.is_empty() {
            share.parked.insert(key as u64);
            share.queue_if_resumable(origin, self.bounds.per_origin, &mut self.resumable);
            return Verdict::Parked;
        }
        share.claimed += 1;
        self.claimed.insert(key, Claimed { origin: Some(origin.clone()), tag: tag() });
        Verdict::Claim
    }

    /// Claims a row that is past parking: one that [`resume`](Self::resume) named, or, without an origin, one that cannot be
    /// sent and only waits for its failure to be recorded. False if it is claimed already.
    pub fn claim(&mut self, key: Key, origin: Option<&Origin>, tag: T) -> bool {
        if self.claimed.contains_key(&key) {
            return false;
        }
        if let Some(origin) = origin {
            self.origins.entry(origin.clone()).or_default().claimed += 1;
        }
        self.claimed.insert(key, Claimed { origin: origin.cloned(), tag });
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
        let Claimed { origin, tag } = self.claimed.remove(&key)?;
        if let Some(origin) = origin
            && let Some(share) = self.origins.get_mut(&origin)
        {
            share.claimed -= 1;
            if share.claimed == 0 && share.parked.is_empty() {
                self.origins.remove(&origin);
            } else {
                share.queue_if_resumable(&origin, self.bounds.per_origin, &mut self.resumable);
            }
        }
        Some(tag)
    }

    /// Takes up to `most` parked keys whose origins have room, an equal part from each, to be fetched and then given to
    /// [`claim`](Self::claim). A key that is not found is forgotten.
    pub fn resume(&mut self, most: usize) -> Vec<Key> {
        let mut keys = Vec::new();
        let mut left = most.min(self.room());
        let part = left.div_ceil(self.resumable.len().max(1));
        for _ in 0..self.resumable.len() {
            if left == 0 {
                break;
            }
            let Some(origin) = self.resumable.pop_front() else { break };
            let Some(share) = self.origins.get_mut(&origin) else { continue };
            share.resumable = false;
            let take = part.min(left).min(self.bounds.per_origin.saturating_sub(share.claimed));
            for _ in 0..take {
                let Some(key) = share.parked.min() else { break };
                share.parked.remove(key);
                keys.push(key as Key);
                left -= 1;
            }
            // The fetched ones are not claimed yet; the next round sees what room they left.
            share.queue_if_resumable(&origin, self.bounds.per_origin, &mut self.resumable);
            if share.claimed == 0 && share.parked.is_empty() {
                self.origins.remove(&origin);
            }
        }
        keys
    }

    /// Forgets the parked keys: the host reads its queue again from the start and offers them anew.
    pub fn forget_parked(&mut self) {
        self.resumable.clear();
        self.origins.retain(|_, share| {
            share.parked.clear();
            share.resumable = false;
            share.claimed > 0
        });
    }

    /// Forgets everything. Gives what was claimed.
    pub fn clear(&mut self) -> impl Iterator<Item = (Key, T)> + use<T> {
        self.origins.clear();
        self.resumable.clear();
        std::mem::take(&mut self.claimed).into_iter().map(|(key, claimed)| (key, claimed.tag))
    }
}

impl Share {
    fn queue_if_resumable(&mut self, origin: &Origin, per_origin: usize, resumable: &mut VecDeque<Origin>) {
        if !self.resumable && !self.parked.is_empty() && self.claimed < per_origin {
            self.resumable = true;
            resumable.push_back(origin.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn origin(host: &str) -> Origin {
        Target::parse(&format!("http://{host}/")).unwrap().origin().clone()
    }

    fn window(total: usize, per_origin: usize) -> Window<()> {
        Window::new(Bounds { total, per_origin })
    }

    #[test]
    fn an_origin_at_its_bound_does_not_hold_up_others() {
        let (slow, fast) = (origin("slow"), origin("fast"));
        let mut window = window(100, 2);
        let verdicts: Vec<_> = (1..=1000).map(|key| window.offer(key, &slow, || ())).collect();
        assert_eq!(&verdicts[..3], [Verdict::Claim, Verdict::Claim, Verdict::Parked]);
        assert_eq!(window.claimed(), 2);
        assert_eq!(window.offer(1001, &fast, || ()), Verdict::Claim);
        assert!(!window.can_resume(), "nothing of the slow one has ended");
        assert_eq!((window.room_for(&slow), window.room_for(&fast)), (0, 1));
    }

    #[test]
    fn parked_keys_come_back_in_order_as_others_end() {
        let slow = origin("slow");
        let mut window = window(100, 2);
        for key in 1..=5 {
            window.offer(key, &slow, || ());
        }
        assert_eq!(window.finish(2), Some(()));
        assert!(window.can_resume());
        assert_eq!(window.resume(10), [3]);
        assert!(window.claim(3, Some(&slow), ()));
        assert_eq!(window.offer(6, &slow, || ()), Verdict::Parked, "behind 4 and 5");
        window.finish(1);
        window.finish(3);
        assert_eq!(window.resume(10), [4, 5]);
    }

    #[test]
    fn a_row_met_again_is_known() {
        let slow = origin("slow");
        let mut window = window(100, 1);
        window.offer(1, &slow, || ());
        window.offer(2, &slow, || ());
        assert_eq!(window.offer(1, &slow, || ()), Verdict::Known);
        assert_eq!(window.offer(2, &slow, || ()), Verdict::Known);
        assert!(!window.claim(1, Some(&slow), ()));
    }

    #[test]
    fn room_is_shared_among_the_origins_that_wait() {
        let hosts: Vec<_> = (0..4).map(|n| origin(&format!("h{n}"))).collect();
        let mut window = window(8, 2);
        let mut key = 0;
        for _ in 0..10 {
            for host in &hosts {
                key += 1;
                window.offer(key, host, || ());
            }
        }
        assert_eq!((window.claimed(), window.room()), (8, 0));
        for key in 1..=4 {
            window.finish(key);
        }
        assert_eq!(window.resume(100), [9, 10, 11, 12], "one of each");
    }

    #[test]
    fn forgotten_parked_keys_can_be_offered_again() {
        let slow = origin("slow");
        let mut window = window(10, 1);
        for key in 1..=3 {
            window.offer(key, &slow, || ());
        }
        window.forget_parked();
        window.finish(1);
        assert_eq!(window.offer(1, &slow, || ()), Verdict::Claim);
        assert_eq!(window.offer(2, &slow, || ()), Verdict::Parked);
    }

    #[test]
    fn what_cannot_be_sent_takes_no_origins_room() {
        let mut window = window(2, 1);
        assert!(window.claim(1, None, ()));
        assert!(!window.claim(1, None, ()));
        assert_eq!(window.room(), 1);
        assert_eq!(window.finish(1), Some(()));
        assert_eq!(window.finish(1), None);
        assert_eq!(window.room(), 2);
    }

    #[test]
    fn a_cleared_window_gives_what_was_claimed() {
        let mut window = window(10, 1);
        for key in 1..=3 {
            window.offer(key, &origin("slow"), || ());
        }
        window.claim(9, None, ());
        let mut keys: Vec<_> = window.clear().map(|(key, ())| key).collect();
        keys.sort_unstable();
        assert_eq!(keys, [1, 9]);
        assert_eq!((window.room(), window.can_resume()), (10, false));
    }

    #[test]
    fn wider_bounds_let_parked_keys_go() {
        let slow = origin("slow");
        let mut window = window(10, 1);
        for key in 1..=3 {
            window.offer(key, &slow, || ());
        }
        assert!(!window.can_resume());
        window.set_bounds(Bounds { total: 10, per_origin: 3 });
        assert_eq!(window.resume(10), [2, 3]);
    }
}
