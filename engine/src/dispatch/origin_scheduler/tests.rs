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

fn scheduler(total: usize, per_origin: usize) -> OriginScheduler<&'static str> {
    OriginScheduler::new(Limits { total, per_origin, untried: per_origin, breaker_failures: 0 })
}

fn done(scheduler: &mut OriginScheduler<&'static str>, host: &str) {
    scheduler.finish(&origin(host), false, OriginSignal::Reached, Instant::now());
}

fn started(scheduler: &mut OriginScheduler<&'static str>) -> Vec<&'static str> {
    started_from(scheduler, Instant::now())
}

/// What starts at `now`, and what a moment later only because not all start at once.
fn started_from(scheduler: &mut OriginScheduler<&'static str>, mut now: Instant) -> Vec<&'static str> {
    let mut items = Vec::new();
    loop {
        items.extend(std::iter::from_fn(|| scheduler.start(now)).map(|started| started.item));
        let Some((until, _)) = scheduler.paced.front() else { return items };
        now = now.max(*until);
        scheduler.run_timers(now);
    }
}

#[test]
fn origins_take_turns_and_each_keeps_its_order() {
    let mut scheduler = scheduler(100, 100);
    for item in ["a1", "a2", "a3", "a4"] {
        scheduler.push(origin("a"), item, Instant::now());
    }
    scheduler.push(origin("b"), "b1", Instant::now());
    scheduler.push(origin("b"), "b2", Instant::now());
    assert_eq!(started(&mut scheduler), ["a1", "b1", "a2", "b2", "a3", "a4"]);
}

#[test]
fn an_origin_at_its_limit_holds_up_no_other() {
    let mut scheduler = scheduler(100, 1);
    for item in ["a1", "a2", "a3"] {
        scheduler.push(origin("a"), item, Instant::now());
    }
    scheduler.push(origin("b"), "b1", Instant::now());
    assert_eq!(started(&mut scheduler), ["a1", "b1"]);
    done(&mut scheduler, "a");
    assert_eq!(started(&mut scheduler), ["a2"]);
}

#[test]
fn the_total_binds_and_turns_go_round() {
    let mut scheduler = scheduler(2, 2);
    for item in ["a1", "a2", "a3"] {
        scheduler.push(origin("a"), item, Instant::now());
    }
    scheduler.push(origin("b"), "b1", Instant::now());
    assert_eq!(started(&mut scheduler), ["a1", "b1"]);
    done(&mut scheduler, "a");
    assert_eq!(started(&mut scheduler), ["a2"]);
    done(&mut scheduler, "b");
    assert_eq!(started(&mut scheduler), ["a3"]);
}

#[test]
fn raised_limits_apply_at_once_and_lowered_ones_let_go_on() {
    let mut scheduler = scheduler(10, 1);
    for item in ["a1", "a2", "a3", "a4"] {
        scheduler.push(origin("a"), item, Instant::now());
    }
    assert_eq!(started(&mut scheduler), ["a1"]);
    scheduler.set_limits(Limits { per_origin: 3, untried: 3, ..scheduler.limits }, Instant::now());
    assert_eq!(started(&mut scheduler), ["a2", "a3"]);
    scheduler.set_limits(Limits { per_origin: 1, untried: 1, ..scheduler.limits }, Instant::now());
    done(&mut scheduler, "a");
    done(&mut scheduler, "a");
    assert_eq!(started(&mut scheduler), Vec::<&str>::new());
    done(&mut scheduler, "a");
    assert_eq!(started(&mut scheduler), ["a4"]);
}

#[test]
fn an_origin_has_few_until_there_is_a_connection_to_it() {
    let mut scheduler = scheduler(10, 5);
    scheduler.limits.untried = 2;
    for item in ["a1", "a2", "a3", "a4"] {
        scheduler.push(origin("a"), item, Instant::now());
    }
    scheduler.push(origin("b"), "b1", Instant::now());
    let first = scheduler.start(Instant::now()).unwrap();
    assert!(first.watch);
    assert_eq!(started(&mut scheduler), ["b1", "a2"]);
    scheduler.reach(&origin("a"), Instant::now());
    scheduler.reach(&origin("b"), Instant::now());
    assert_eq!(
        scheduler.events().responsiveness,
        [(origin("a"), Responsiveness::Silent)],
        "nobody waits for the other one"
    );
    let third = scheduler.start(Instant::now()).unwrap();
    assert_eq!((third.item, third.watch), ("a3", false));
    assert_eq!(started(&mut scheduler), ["a4"]);
    scheduler.events().responsiveness.clear();
    (0..2).for_each(|_| done(&mut scheduler, "a"));
    assert_eq!(scheduler.events().responsiveness, [(origin("a"), Responsiveness::Answering)]);
}

#[test]
fn what_an_origin_that_does_not_answer_gets_starts_bit_by_bit() {
    let mut scheduler = scheduler(100, 11);
    let mut now = Instant::now();
    let begun =
        |scheduler: &mut OriginScheduler<&'static str>, now| std::iter::from_fn(|| scheduler.start(now)).count();
    let end = |scheduler: &mut OriginScheduler<&'static str>, count: usize, signal: OriginSignal| {
        for _ in 0..count {
            scheduler.finish(&origin("a"), false, signal, Instant::now());
        }
    };
    (0..20).for_each(|_| scheduler.push(origin("a"), "a", now));
    assert_eq!(begun(&mut scheduler, now), 4);
    scheduler.push(origin("b"), "b", now);
    assert_eq!(begun(&mut scheduler, now), 1, "another origin does not wait for it");
    for expected in [4, 3] {
        let next = scheduler.next_timer().unwrap();
        assert_eq!(next - now, Duration::from_millis(1));
        now = next;
        scheduler.run_timers(now);
        assert_eq!(begun(&mut scheduler, now), expected);
    }
    // What starts after others have ended counts on.
    end(&mut scheduler, 3, OriginSignal::Late);
    assert_eq!(begun(&mut scheduler, now), 1);
    now = scheduler.next_timer().unwrap();
    scheduler.run_timers(now);
    assert_eq!(begun(&mut scheduler, now), 2);
    end(&mut scheduler, 11, OriginSignal::Reached);
    (0..5).for_each(|_| scheduler.push(origin("a"), "a", now));
    assert_eq!(begun(&mut scheduler, now), 11, "all there are, once it answers");
}

#[test]
fn a_pause_is_of_no_lane_that_came_after_it() {
    let mut scheduler = scheduler(100, 20);
    let now = Instant::now();
    (0..5).for_each(|_| scheduler.push(origin("a"), "a", now));
    assert_eq!(std::iter::from_fn(|| scheduler.start(now)).count(), 4);
    scheduler.remove(|_| true, now);
    for _ in 0..4 {
        scheduler.finish(&origin("a"), false, OriginSignal::Late, now);
    }
    assert!(scheduler.queues.is_empty());
    (0..3).for_each(|_| scheduler.push(origin("a"), "a", now));
    scheduler.run_timers(scheduler.next_timer().unwrap());
    assert_eq!(scheduler.turns.len(), 1);
    assert_eq!(started(&mut scheduler).len(), 3);
}

#[test]
fn origins_that_do_not_answer_leave_places_to_those_that_do() {
    let mut scheduler = scheduler(100, 20);
    for host in ["a", "b", "c", "d", "e", "f"] {
        (0..40).for_each(|_| scheduler.push(origin(host), "hangs", Instant::now()));
    }
    assert_eq!(started(&mut scheduler).len(), 50);
    scheduler.push(origin("g"), "new", Instant::now());
    scheduler.push(origin("g"), "and more", Instant::now());
    assert_eq!(started(&mut scheduler), ["new"], "one may always");
    done(&mut scheduler, "g");
    assert_eq!(started(&mut scheduler), ["and more"], "it has answered");
    // One more of the others goes for each that ends.
    scheduler.finish(&origin("a"), false, OriginSignal::Late, Instant::now());
    assert_eq!(started(&mut scheduler), ["hangs"]);
    // One that answers has its places for itself.
    done(&mut scheduler, "b");
    assert_eq!(scheduler.queues[&origin("b")].silent(), 0);
    let more = started(&mut scheduler).len();
    assert_eq!((scheduler.queues[&origin("b")].under_way, scheduler.silent), (20, 50), "{more}");
    for _ in 0..5 {
        scheduler.finish(&origin("b"), false, OriginSignal::Late, Instant::now());
    }
    assert_eq!(scheduler.silent, 65, "it did");
    scheduler.clear();
    for host in ["a", "b", "c", "d", "e", "f", "g"] {
        while scheduler.queues.get(&origin(host)).is_some_and(|queue| queue.under_way > 0) {
            done(&mut scheduler, host);
        }
    }
    assert_eq!((scheduler.silent, scheduler.under_way, scheduler.queues.len()), (0, 0, 0));
}

#[test]
fn an_idle_origin_is_forgotten() {
    let mut scheduler = scheduler(10, 10);
    scheduler.push(origin("a"), "a1", Instant::now());
    scheduler.push(origin("b"), "b1", Instant::now());
    scheduler.push(origin("b"), "b2", Instant::now());
    assert_eq!(scheduler.start(Instant::now()).unwrap().item, "a1");
    scheduler.clear();
    assert_eq!(scheduler.start(Instant::now()), None);
    done(&mut scheduler, "a");
    assert!(scheduler.queues.is_empty());
}

#[test]
fn what_is_taken_out_does_not_start_and_the_rest_keeps_its_order() {
    let mut scheduler = scheduler(100, 2);
    let now = Instant::now();
    for item in ["a1", "a2", "a3", "a4", "a5"] {
        scheduler.push(origin("a"), item, now);
    }
    scheduler.push(origin("b"), "b1", now);
    assert_eq!(scheduler.start(now).map(|started| started.item), Some("a1"));
    let removed = scheduler.remove(|item| ["a1", "a2", "a4", "b1"].contains(item), now);
    assert_eq!(sorted(removed), ["a2", "a4", "b1"], "all but what has started");
    assert_eq!(started(&mut scheduler), ["a3"]);
    done(&mut scheduler, "a");
    assert_eq!(started(&mut scheduler), ["a5"]);
}

/// An origin that lost all that waited and gets something new still has one turn, not two.
#[test]
fn an_origin_that_was_emptied_has_one_turn_again() {
    let mut scheduler = scheduler(100, 100);
    let now = Instant::now();
    scheduler.push(origin("a"), "a1", now);
    scheduler.push(origin("b"), "b1", now);
    assert_eq!(scheduler.remove(|item| *item == "a1", now), ["a1"]);
    for item in ["a2", "a3", "a4"] {
        scheduler.push(origin("a"), item, now);
    }
    for item in ["b2", "b3"] {
        scheduler.push(origin("b"), item, now);
    }
    assert_eq!(started(&mut scheduler), ["b1", "a2", "b2", "a3", "b3", "a4"]);
}

fn sorted(mut items: Vec<&'static str>) -> Vec<&'static str> {
    items.sort_unstable();
    items
}

#[test]
fn an_origin_that_was_connected_to_while_few_were_wanted_is_told_of_when_more_come() {
    let mut scheduler = scheduler(10, 5);
    scheduler.limits.untried = 2;
    scheduler.push(origin("a"), "a1", Instant::now());
    assert_eq!(started(&mut scheduler), ["a1"]);
    scheduler.reach(&origin("a"), Instant::now());
    assert!(scheduler.events().responsiveness.is_empty());
    // The host lets no more than two through until it hears of the connection, and nothing has ended.
    scheduler.push(origin("a"), "a2", Instant::now());
    assert_eq!(scheduler.events().responsiveness, [(origin("a"), Responsiveness::Silent)]);
}
