use std::collections::{HashMap, VecDeque};

use crate::origin::Origin;

/// What waits to be started, in order for each origin, the origins in turn.
///
/// It also counts what is under way, so that it can keep to the limits.
#[derive(Debug)]
pub(crate) struct FairQueue<T> {
    limits: Limits,
    lanes: HashMap<Origin, Lane<T>>,
    /// The origins whose next item may start, each once, in the order of their turns.
    turns: VecDeque<Origin>,
    under_way: usize,
}

/// How many may be under way at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) total: usize,
    pub(crate) per_origin: usize,
}

#[derive(Debug)]
struct Lane<T> {
    waiting: VecDeque<T>,
    under_way: usize,
    /// Whether the origin stands in `turns`.
    has_turn: bool,
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { waiting: VecDeque::new(), under_way: 0, has_turn: false }
    }
}

impl<T> Lane<T> {
    /// Whether the origin has to be put into the turns now; then it counts as put.
    fn claims_turn(&mut self, per_origin: usize) -> bool {
        let claims = !self.has_turn && !self.waiting.is_empty() && self.under_way < per_origin;
        self.has_turn |= claims;
        claims
    }
}

impl<T> FairQueue<T> {
    pub(crate) fn new(limits: Limits) -> Self {
        Self { limits, lanes: HashMap::new(), turns: VecDeque::new(), under_way: 0 }
    }

    /// Applies to what starts from now on; what is under way beyond a lower limit goes on.
    pub(crate) fn set_limits(&mut self, limits: Limits) {
        self.limits = limits;
        for (origin, lane) in &mut self.lanes {
            if lane.claims_turn(limits.per_origin) {
                self.turns.push_back(origin.clone());
            }
        }
    }

    pub(crate) fn push(&mut self, origin: Origin, item: T) {
        let lane = self.lanes.entry(origin.clone()).or_default();
        lane.waiting.push_back(item);
        if lane.claims_turn(self.limits.per_origin) {
            self.turns.push_back(origin);
        }
    }

    /// The next item that the limits let start. It counts as under way until [`finish`](Self::finish).
    pub(crate) fn start(&mut self) -> Option<T> {
        if self.under_way >= self.limits.total {
            return None;
        }
        while let Some(origin) = self.turns.pop_front() {
            let Some(lane) = self.lanes.get_mut(&origin) else { continue };
            lane.has_turn = false;
            // The limit may have been lowered since the turn was given.
            if lane.under_way >= self.limits.per_origin {
                continue;
            }
            let Some(item) = lane.waiting.pop_front() else { continue };
            lane.under_way += 1;
            self.under_way += 1;
            if lane.claims_turn(self.limits.per_origin) {
                self.turns.push_back(origin);
            }
            return Some(item);
        }
        None
    }

    /// One that was started is done.
    pub(crate) fn finish(&mut self, origin: &Origin) {
        let Some(lane) = self.lanes.get_mut(origin) else { return };
        lane.under_way -= 1;
        self.under_way -= 1;
        if lane.claims_turn(self.limits.per_origin) {
            self.turns.push_back(origin.clone());
        } else if lane.under_way == 0 && lane.waiting.is_empty() {
            self.lanes.remove(origin);
        }
    }

    /// Forgets what waits.
    pub(crate) fn clear(&mut self) {
        self.turns.clear();
        self.lanes.retain(|_, lane| {
            lane.waiting.clear();
            lane.has_turn = false;
            lane.under_way > 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::Target;

    fn origin(host: &str) -> Origin {
        Target::parse(&format!("http://{host}/")).unwrap().origin().clone()
    }

    fn queue(total: usize, per_origin: usize) -> FairQueue<&'static str> {
        FairQueue::new(Limits { total, per_origin })
    }

    fn started(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
        std::iter::from_fn(|| queue.start()).collect()
    }

    #[test]
    fn origins_take_turns_and_each_keeps_its_order() {
        let mut queue = queue(100, 100);
        for item in ["a1", "a2", "a3", "a4"] {
            queue.push(origin("a"), item);
        }
        queue.push(origin("b"), "b1");
        queue.push(origin("b"), "b2");
        assert_eq!(started(&mut queue), ["a1", "b1", "a2", "b2", "a3", "a4"]);
    }

    #[test]
    fn an_origin_at_its_limit_holds_up_no_other() {
        let mut queue = queue(100, 1);
        for item in ["a1", "a2", "a3"] {
            queue.push(origin("a"), item);
        }
        queue.push(origin("b"), "b1");
        assert_eq!(started(&mut queue), ["a1", "b1"]);
        queue.finish(&origin("a"));
        assert_eq!(started(&mut queue), ["a2"]);
    }

    #[test]
    fn the_total_binds_and_turns_go_round() {
        let mut queue = queue(2, 2);
        for item in ["a1", "a2", "a3"] {
            queue.push(origin("a"), item);
        }
        queue.push(origin("b"), "b1");
        assert_eq!(started(&mut queue), ["a1", "b1"]);
        queue.finish(&origin("a"));
        assert_eq!(started(&mut queue), ["a2"]);
        queue.finish(&origin("b"));
        assert_eq!(started(&mut queue), ["a3"]);
    }

    #[test]
    fn raised_limits_apply_at_once_and_lowered_ones_let_go_on() {
        let mut queue = queue(10, 1);
        for item in ["a1", "a2", "a3", "a4"] {
            queue.push(origin("a"), item);
        }
        assert_eq!(started(&mut queue), ["a1"]);
        queue.set_limits(Limits { total: 10, per_origin: 3 });
        assert_eq!(started(&mut queue), ["a2", "a3"]);
        queue.set_limits(Limits { total: 10, per_origin: 1 });
        queue.finish(&origin("a"));
        queue.finish(&origin("a"));
        assert_eq!(started(&mut queue), Vec::<&str>::new());
        queue.finish(&origin("a"));
        assert_eq!(started(&mut queue), ["a4"]);
    }

    #[test]
    fn an_idle_origin_is_forgotten() {
        let mut queue = queue(10, 10);
        queue.push(origin("a"), "a1");
        queue.push(origin("b"), "b1");
        queue.push(origin("b"), "b2");
        assert_eq!(queue.start(), Some("a1"));
        queue.clear();
        assert_eq!(queue.start(), None);
        queue.finish(&origin("a"));
        assert!(queue.lanes.is_empty());
    }
}
