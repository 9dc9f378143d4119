//! Origins that cannot be connected to, or ask to be left alone, on a clock that the tests turn.

use super::*;
use crate::dispatch::origin_health::Standing;

const FAILURES: u32 = 3;

/// A queue, a clock, and what the host has heard.
struct Bench {
    queue: FairQueue<&'static str>,
    start: Instant,
    now: Instant,
}

impl Bench {
    fn new(per_origin: usize) -> Self {
        let limits = Limits { total: 100, per_origin, untried: per_origin, breaker_failures: FAILURES };
        let now = Instant::now();
        Self { queue: FairQueue::new(limits), start: now, now }
    }

    fn push(&mut self, host: &str, items: &[&'static str]) {
        for item in items {
            self.queue.push(origin(host), item, self.now);
        }
    }

    fn started(&mut self) -> Vec<&'static str> {
        started_from(&mut self.queue, self.now)
    }

    /// What starts from now until `until`.
    fn started_by(&mut self, until: Duration) -> Vec<&'static str> {
        let mut all = self.started();
        while self.turn(until) {
            all.extend(self.started());
        }
        all
    }

    fn reached(&mut self, host: &str) {
        self.queue.finish(&origin(host), false, Reading::Reached, self.now);
    }

    fn missed(&mut self, host: &str, probe: bool) {
        self.queue.finish(&origin(host), probe, Reading::Missed("connect"), self.now);
    }

    /// Turns the clock to the next moment at which there is something to do, if it comes by then.
    fn turn(&mut self, until: Duration) -> bool {
        let Some(at) = self.queue.next_look().filter(|&at| at <= self.start + until) else {
            self.now = self.start + until;
            return false;
        };
        self.now = self.now.max(at);
        self.queue.look(self.now);
        true
    }

    fn sicken(&mut self, host: &str) {
        for _ in 0..FAILURES {
            self.push(host, &["early"]);
            assert_eq!(self.started(), ["early"]);
            self.missed(host, false);
        }
        assert_eq!(self.standing(), Some(Standing::Probing));
    }

    fn standing(&mut self) -> Option<Standing> {
        self.queue.news().states.drain(..).next_back().map(|state| state.standing)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn each_request_to_a_sick_origin_has_an_attempt_of_its_own_in_bounded_time() {
    let mut bench = Bench::new(50);
    bench.sicken("a");
    bench.push("a", &["a"; 500]);
    let mut attempts = 0;
    while bench.now < bench.start + seconds(3.0) {
        for started in bench.started() {
            assert_eq!(started, "a");
            attempts += 1;
            bench.missed("a", true);
        }
        bench.turn(seconds(3.0));
    }
    assert_eq!(attempts, 500);
    assert!(bench.queue.lanes[&origin("a")].is_idle());
}

#[test]
fn what_a_sick_origin_ends_with_is_expected_and_that_it_is_well_again_is_news() {
    let mut bench = Bench::new(50);
    bench.push("a", &["a"; 30]);
    let most = FAILURES as usize + 1;
    for _ in 0..most {
        bench.queue.start(bench.now).unwrap();
    }
    let end = |bench: &mut Bench, probe, reading| bench.queue.finish(&origin("a"), probe, reading, bench.now);
    let expected: Vec<_> = (0..most).map(|_| end(&mut bench, false, Reading::Missed("connect"))).collect();
    assert_eq!(expected, [false, false, false, true], "it is sick from the third on");
    bench.turn(seconds(1.0));
    let probe = bench.queue.start(bench.now).unwrap().probe;
    assert!(probe && !end(&mut bench, probe, Reading::Reached));
}

#[test]
fn sick_origins_that_refuse_take_little_time() {
    let mut bench = Bench::new(50);
    let hosts = ["a", "b", "c"];
    hosts.iter().for_each(|host| bench.sicken(host));
    hosts.iter().for_each(|host| bench.push(host, &["item"; 500]));
    // Each ends as soon as it has started.
    let mut attempts = 0;
    while bench.now < bench.start + seconds(1.0) {
        while let Some(started) = bench.queue.start(bench.now) {
            let host = hosts[attempts % 3];
            assert!(started.probe && bench.queue.lanes[&origin(host)].probes == 1, "they take turns");
            bench.missed(host, true);
            attempts += 1;
        }
        bench.turn(seconds(1.0));
    }
    assert!((195..=205).contains(&attempts), "{attempts}");
}

#[test]
fn sick_origins_that_hang_take_a_quarter_of_the_places_and_one_leaves_as_much_as_it_has() {
    let mut bench = Bench::new(50);
    for host in ["a", "b", "c", "d"] {
        bench.sicken(host);
    }
    bench.push("a", &["a"; 100]);
    assert_eq!(bench.started_by(seconds(1.0)).len(), 13);
    bench.push("b", &["b"; 100]);
    assert_eq!(bench.started_by(seconds(2.0)).len(), 6);
    bench.push("c", &["c"; 100]);
    bench.push("d", &["d"; 2]);
    let started = bench.started_by(seconds(3.0));
    assert_eq!(started.iter().filter(|item| **item == "d").count(), 2);
    assert!(bench.queue.probes.free(100) > 0, "another one would have room");
    bench.push("well", &["well"; 50]);
    assert_eq!(bench.started(), ["well"; 50]);
    // One that ends makes room for one of another.
    bench.missed("a", true);
    assert_eq!(bench.started_by(seconds(4.0)), ["c"]);
}

#[test]
fn where_places_are_scarce_sick_origins_have_the_turn_of_one() {
    let mut bench = Bench::new(50);
    bench.sicken("sick");
    bench.push("x", &["x"; 200]);
    bench.push("y", &["y"; 200]);
    bench.started();
    ["x", "y"].iter().for_each(|host| bench.reached(host));
    bench.started();
    assert_eq!(bench.queue.under_way, 100);
    bench.push("sick", &["sick"; 10]);
    let mut order = Vec::new();
    for host in ["x", "y"].repeat(10) {
        bench.now += seconds(0.01);
        bench.queue.look(bench.now);
        bench.reached(host);
        order.extend(bench.started());
    }
    let sick = order.iter().filter(|item| **item == "sick").count();
    assert_eq!(order.len(), 20);
    assert!((5..=7).contains(&sick), "{order:?}");
}

#[test]
fn one_that_recovers_gets_more_bit_by_bit() {
    let mut bench = Bench::new(8);
    bench.sicken("a");
    bench.push("a", &["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"]);
    assert_eq!(bench.started(), ["a1"]);
    bench.queue.finish(&origin("a"), true, Reading::Reached, bench.now);
    assert_eq!(bench.standing(), Some(Standing::Healthy));
    assert_eq!(bench.started(), ["a2", "a3"]);
    bench.reached("a");
    bench.reached("a");
    assert_eq!(bench.started(), ["a4", "a5", "a6", "a7"]);
    (0..4).for_each(|_| bench.reached("a"));
    assert_eq!(bench.started(), ["a8", "a9"]);
    assert!(bench.queue.lanes[&origin("a")].restraint.is_none(), "it gets all that the limits allow again");
    assert_eq!(bench.queue.probes.free(100), 25);
}

#[test]
fn a_connection_is_a_recovery_however_long_the_reply_takes() {
    let mut bench = Bench::new(8);
    bench.sicken("a");
    bench.push("a", &["a1", "a2", "a3"]);
    assert!(bench.queue.start(bench.now).is_some_and(|started| started.watch));
    bench.queue.reach(&origin("a"), bench.now);
    assert_eq!(bench.standing(), Some(Standing::Healthy));
    assert_eq!(bench.started(), ["a2"], "a1 is still under way");
    bench.queue.reach(&origin("a"), bench.now);
    assert_eq!(bench.started(), ["a3"]);
}

#[test]
fn failures_that_a_connection_comes_between_are_not_in_a_row() {
    let mut bench = Bench::new(8);
    for _ in 0..5 {
        bench.push("a", &["a"; FAILURES as usize]);
        for _ in 1..FAILURES {
            bench.started();
            bench.missed("a", false);
        }
        bench.reached("a");
        assert_eq!(bench.standing(), Some(Standing::Healthy));
    }
}

#[test]
fn a_held_origin_sends_back_what_can_wait_and_starts_all_else() {
    let mut bench = Bench::new(8);
    bench.push("a", &["a1"]);
    assert_eq!(bench.started(), ["a1"]);
    bench.reached("a");
    bench.push("a", &["a2", "!a3"]);
    bench.queue.hold(&origin("a"), bench.now + seconds(3.0), bench.now);
    assert_eq!(bench.standing(), Some(Standing::Deferred));
    assert_eq!(bench.queue.news().sent_back, ["a2"]);
    bench.push("a", &["a4", "!a5", "!a6"]);
    assert_eq!(bench.queue.news().sent_back, ["a2", "a4"]);
    assert_eq!(bench.started(), ["!a3", "!a5", "!a6"]);
    // A later moment counts, an earlier one does not.
    bench.queue.hold(&origin("a"), bench.now + seconds(5.0), bench.now);
    bench.queue.hold(&origin("a"), bench.now + seconds(4.0), bench.now);
    while bench.turn(seconds(4.99)) {}
    (0..3).for_each(|_| bench.reached("a"));
    bench.push("a", &["a7"]);
    assert_eq!(bench.started(), Vec::<&str>::new());
    bench.turn(seconds(5.0));
    assert_eq!(bench.standing(), Some(Standing::Healthy));
    bench.push("a", &["a2", "a4", "!a8", "a7"]);
    assert_eq!(bench.started(), ["a2", "!a8"], "of those who waited one to begin with");
    bench.reached("a");
    bench.reached("a");
    assert_eq!(bench.started(), ["a4", "a7"]);
}

#[test]
fn an_origin_in_trouble_is_forgotten_when_nobody_sends_to_it() {
    let mut bench = Bench::new(8);
    bench.sicken("a");
    bench.queue.hold(&origin("b"), bench.now + seconds(3.0), bench.now);
    assert_eq!(bench.queue.lanes.len(), 2);
    while bench.turn(seconds(1300.0)) {}
    assert!(bench.queue.lanes.is_empty() && bench.queue.next_look().is_none());
    assert!(bench.queue.news().states.iter().rev().take(2).all(OriginState::is_well));
}

#[test]
fn without_a_threshold_no_origin_is_sick() {
    let mut bench = Bench::new(8);
    bench.sicken("a");
    bench.push("a", &["a1", "a2"]);
    let limits = Limits { breaker_failures: 0, ..bench.queue.limits };
    bench.queue.set_limits(limits, bench.now);
    assert_eq!(bench.started(), ["a1", "a2"]);
    for _ in 0..20 {
        bench.push("a", &["more"]);
        bench.started();
        bench.missed("a", false);
    }
    bench.push("a", &["still"]);
    assert_eq!(bench.started(), ["still"]);
}

#[test]
fn what_waits_for_a_sick_origin_can_be_forgotten() {
    let mut bench = Bench::new(8);
    bench.sicken("a");
    bench.push("a", &["a1", "a2"]);
    assert_eq!(bench.started(), ["a1"]);
    bench.queue.clear();
    bench.missed("a", true);
    assert_eq!(bench.started_by(seconds(1.0)), Vec::<&str>::new());
    bench.push("a", &["a3"]);
    assert_eq!(bench.started_by(seconds(2.0)), ["a3"]);
}
