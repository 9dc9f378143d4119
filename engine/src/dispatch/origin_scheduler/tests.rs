mod places;
mod trouble;

use std::time::Duration;

use super::*;
use crate::address::target::Target;

/// Goes back unless marked.
impl Queued for &'static str {
    fn may_go_back(&self) -> bool {
        !self.starts_with('!')
    }
}

fn origin(host: &str) -> Origin {
    Target::parse(&format!("http://{host}/")).unwrap().origin().clone()
}

fn queue(total: usize, per_origin: usize) -> FairQueue<&'static str> {
    FairQueue::new(Limits { total, per_origin, untried: per_origin, breaker_failures: 0 })
}

fn done(queue: &mut FairQueue<&'static str>, host: &str) {
    queue.finish(&origin(host), false, Reading::Reached, Instant::now());
}

fn started(queue: &mut FairQueue<&'static str>) -> Vec<&'static str> {
    started_from(queue, Instant::now())
}

/// What starts at `now`, and what a moment later only because not all start at once.
fn started_from(queue: &mut FairQueue<&'static str>, mut now: Instant) -> Vec<&'static str> {
    let mut items = Vec::new();
    loop {
        items.extend(std::iter::from_fn(|| queue.start(now)).map(|started| started.item));
        let Some((until, _)) = queue.paused.front() else { return items };
        now = now.max(*until);
        queue.look(now);
    }
}

#[test]
fn origins_take_turns_and_each_keeps_its_order() {
    let mut queue = queue(100, 100);
    for item in ["a1", "a2", "a3", "a4"] {
        queue.push(origin("a"), item, Instant::now());
    }
    queue.push(origin("b"), "b1", Instant::now());
    queue.push(origin("b"), "b2", Instant::now());
    assert_eq!(started(&mut queue), ["a1", "b1", "a2", "b2", "a3", "a4"]);
}

#[test]
fn an_origin_at_its_limit_holds_up_no_other() {
    let mut queue = queue(100, 1);
    for item in ["a1", "a2", "a3"] {
        queue.push(origin("a"), item, Instant::now());
    }
    queue.push(origin("b"), "b1", Instant::now());
    assert_eq!(started(&mut queue), ["a1", "b1"]);
    done(&mut queue, "a");
    assert_eq!(started(&mut queue), ["a2"]);
}

#[test]
fn the_total_binds_and_turns_go_round() {
    let mut queue = queue(2, 2);
    for item in ["a1", "a2", "a3"] {
        queue.push(origin("a"), item, Instant::now());
    }
    queue.push(origin("b"), "b1", Instant::now());
    assert_eq!(started(&mut queue), ["a1", "b1"]);
    done(&mut queue, "a");
    assert_eq!(started(&mut queue), ["a2"]);
    done(&mut queue, "b");
    assert_eq!(started(&mut queue), ["a3"]);
}

#[test]
fn raised_limits_apply_at_once_and_lowered_ones_let_go_on() {
    let mut queue = queue(10, 1);
    for item in ["a1", "a2", "a3", "a4"] {
        queue.push(origin("a"), item, Instant::now());
    }
    assert_eq!(started(&mut queue), ["a1"]);
    queue.set_limits(Limits { per_origin: 3, untried: 3, ..queue.limits }, Instant::now());
    assert_eq!(started(&mut queue), ["a2", "a3"]);
    queue.set_limits(Limits { per_origin: 1, untried: 1, ..queue.limits }, Instant::now());
    done(&mut queue, "a");
    done(&mut queue, "a");
    assert_eq!(started(&mut queue), Vec::<&str>::new());
    done(&mut queue, "a");
    assert_eq!(started(&mut queue), ["a4"]);
}

#[test]
fn an_origin_has_few_until_there_is_a_connection_to_it() {
    let mut queue = queue(10, 5);
    queue.limits.untried = 2;
    for item in ["a1", "a2", "a3", "a4"] {
        queue.push(origin("a"), item, Instant::now());
    }
    queue.push(origin("b"), "b1", Instant::now());
    let first = queue.start(Instant::now()).unwrap();
    assert!(first.watch);
    assert_eq!(started(&mut queue), ["b1", "a2"]);
    queue.reach(&origin("a"), Instant::now());
    queue.reach(&origin("b"), Instant::now());
    assert_eq!(queue.news().paces, [(origin("a"), Pace::Silent)], "nobody waits for the other one");
    let third = queue.start(Instant::now()).unwrap();
    assert_eq!((third.item, third.watch), ("a3", false));
    assert_eq!(started(&mut queue), ["a4"]);
    queue.news().paces.clear();
    (0..2).for_each(|_| done(&mut queue, "a"));
    assert_eq!(queue.news().paces, [(origin("a"), Pace::Answering)]);
}

#[test]
fn what_an_origin_that_does_not_answer_gets_starts_bit_by_bit() {
    let mut queue = queue(100, 11);
    let mut now = Instant::now();
    let begun = |queue: &mut FairQueue<&'static str>, now| std::iter::from_fn(|| queue.start(now)).count();
    let end = |queue: &mut FairQueue<&'static str>, count: usize, reading: Reading| {
        for _ in 0..count {
            queue.finish(&origin("a"), false, reading, Instant::now());
        }
    };
    (0..20).for_each(|_| queue.push(origin("a"), "a", now));
    assert_eq!(begun(&mut queue, now), 4);
    queue.push(origin("b"), "b", now);
    assert_eq!(begun(&mut queue, now), 1, "another origin does not wait for it");
    for expected in [4, 3] {
        let next = queue.next_look().unwrap();
        assert_eq!(next - now, Duration::from_millis(1));
        now = next;
        queue.look(now);
        assert_eq!(begun(&mut queue, now), expected);
    }
    // What starts after others have ended counts on.
    end(&mut queue, 3, Reading::Late);
    assert_eq!(begun(&mut queue, now), 1);
    now = queue.next_look().unwrap();
    queue.look(now);
    assert_eq!(begun(&mut queue, now), 2);
    end(&mut queue, 11, Reading::Reached);
    (0..5).for_each(|_| queue.push(origin("a"), "a", now));
    assert_eq!(begun(&mut queue, now), 11, "all there are, once it answers");
}

#[test]
fn a_pause_is_of_no_lane_that_came_after_it() {
    let mut queue = queue(100, 20);
    let now = Instant::now();
    (0..5).for_each(|_| queue.push(origin("a"), "a", now));
    assert_eq!(std::iter::from_fn(|| queue.start(now)).count(), 4);
    queue.remove(|_| true, now);
    for _ in 0..4 {
        queue.finish(&origin("a"), false, Reading::Late, now);
    }
    assert!(queue.lanes.is_empty());
    (0..3).for_each(|_| queue.push(origin("a"), "a", now));
    queue.look(queue.next_look().unwrap());
    assert_eq!(queue.turns.len(), 1);
    assert_eq!(started(&mut queue).len(), 3);
}

#[test]
fn origins_that_do_not_answer_leave_places_to_those_that_do() {
    let mut queue = queue(100, 20);
    for host in ["a", "b", "c", "d", "e", "f"] {
        (0..40).for_each(|_| queue.push(origin(host), "hangs", Instant::now()));
    }
    assert_eq!(started(&mut queue).len(), 50);
    queue.push(origin("g"), "new", Instant::now());
    queue.push(origin("g"), "and more", Instant::now());
    assert_eq!(started(&mut queue), ["new"], "one may always");
    done(&mut queue, "g");
    assert_eq!(started(&mut queue), ["and more"], "it has answered");
    // One more of the others goes for each that ends.
    queue.finish(&origin("a"), false, Reading::Late, Instant::now());
    assert_eq!(started(&mut queue), ["hangs"]);
    // One that answers has its places for itself.
    done(&mut queue, "b");
    assert_eq!(queue.lanes[&origin("b")].silent(), 0);
    let more = started(&mut queue).len();
    assert_eq!((queue.lanes[&origin("b")].under_way, queue.silent), (20, 50), "{more}");
    for _ in 0..5 {
        queue.finish(&origin("b"), false, Reading::Late, Instant::now());
    }
    assert_eq!(queue.silent, 65, "it did");
    queue.clear();
    for host in ["a", "b", "c", "d", "e", "f", "g"] {
        while queue.lanes.get(&origin(host)).is_some_and(|lane| lane.under_way > 0) {
            done(&mut queue, host);
        }
    }
    assert_eq!((queue.silent, queue.under_way, queue.lanes.len()), (0, 0, 0));
}

#[test]
fn an_idle_origin_is_forgotten() {
    let mut queue = queue(10, 10);
    queue.push(origin("a"), "a1", Instant::now());
    queue.push(origin("b"), "b1", Instant::now());
    queue.push(origin("b"), "b2", Instant::now());
    assert_eq!(queue.start(Instant::now()).unwrap().item, "a1");
    queue.clear();
    assert_eq!(queue.start(Instant::now()), None);
    done(&mut queue, "a");
    assert!(queue.lanes.is_empty());
}

#[test]
fn what_is_taken_out_does_not_start_and_the_rest_keeps_its_order() {
    let mut queue = queue(100, 2);
    let now = Instant::now();
    for item in ["a1", "a2", "a3", "a4", "a5"] {
        queue.push(origin("a"), item, now);
    }
    queue.push(origin("b"), "b1", now);
    assert_eq!(queue.start(now).map(|started| started.item), Some("a1"));
    let removed = queue.remove(|item| ["a1", "a2", "a4", "b1"].contains(item), now);
    assert_eq!(sorted(removed), ["a2", "a4", "b1"], "all but what has started");
    assert_eq!(started(&mut queue), ["a3"]);
    done(&mut queue, "a");
    assert_eq!(started(&mut queue), ["a5"]);
}

/// An origin that lost all that waited and gets something new still has one turn, not two.
#[test]
fn an_origin_that_was_emptied_has_one_turn_again() {
    let mut queue = queue(100, 100);
    let now = Instant::now();
    queue.push(origin("a"), "a1", now);
    queue.push(origin("b"), "b1", now);
    assert_eq!(queue.remove(|item| *item == "a1", now), ["a1"]);
    for item in ["a2", "a3", "a4"] {
        queue.push(origin("a"), item, now);
    }
    for item in ["b2", "b3"] {
        queue.push(origin("b"), item, now);
    }
    assert_eq!(started(&mut queue), ["b1", "a2", "b2", "a3", "b3", "a4"]);
}

fn sorted(mut items: Vec<&'static str>) -> Vec<&'static str> {
    items.sort_unstable();
    items
}

#[test]
fn an_origin_that_was_connected_to_while_few_were_wanted_is_told_of_when_more_come() {
    let mut queue = queue(10, 5);
    queue.limits.untried = 2;
    queue.push(origin("a"), "a1", Instant::now());
    assert_eq!(started(&mut queue), ["a1"]);
    queue.reach(&origin("a"), Instant::now());
    assert!(queue.news().paces.is_empty());
    // The host lets no more than two through until it hears of the connection, and nothing has ended.
    queue.push(origin("a"), "a2", Instant::now());
    assert_eq!(queue.news().paces, [(origin("a"), Pace::Silent)]);
}
