//! Origins that cannot be connected to, or ask to be left alone, on a clock that the tests turn.

use super::*;
use crate::dispatch::origin_health::OriginHealth;

const FAILURES: u32 = 3;

/// A scheduler, a clock, and what the host has heard.
struct Fixture {
    scheduler: OriginScheduler<&'static str>,
    start: Instant,
    now: Instant,
}

impl Fixture {
    fn new(per_origin: usize) -> Self {
        let limits = Limits { total: 100, per_origin, untried: per_origin, breaker_failures: FAILURES };
        let now = Instant::now();
        Self { scheduler: OriginScheduler::new(limits), start: now, now }
    }

    fn push(&mut self, host: &str, items: &[&'static str]) {
        for item in items {
            self.scheduler.push(origin(host), item, self.now);
        }
    }

    fn started(&mut self) -> Vec<&'static str> {
        started_from(&mut self.scheduler, self.now)
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
        self.scheduler.finish(&origin(host), false, OriginSignal::Reached, self.now);
    }

    fn missed(&mut self, host: &str, probe: bool) {
        self.scheduler.finish(&origin(host), probe, OriginSignal::Unreachable("connect"), self.now);
    }

    /// Turns the clock to the next moment at which there is something to do, if it comes by then.
    fn turn(&mut self, until: Duration) -> bool {
        let Some(at) = self.scheduler.next_timer().filter(|&at| at <= self.start + until) else {
            self.now = self.start + until;
            return false;
        };
        self.now = self.now.max(at);
        self.scheduler.run_timers(self.now);
        true
    }

    fn sicken(&mut self, host: &str) {
        for _ in 0..FAILURES {
            self.push(host, &["early"]);
            assert_eq!(self.started(), ["early"]);
            self.missed(host, false);
        }
        assert_eq!(self.health(), Some(OriginHealth::Probing));
    }

    fn health(&mut self) -> Option<OriginHealth> {
        self.scheduler.events().states.drain(..).next_back().map(|state| state.health)
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn each_request_to_a_sick_origin_has_an_attempt_of_its_own_in_bounded_time() {
    let mut fixture = Fixture::new(50);
    fixture.sicken("a");
    fixture.push("a", &["a"; 500]);
    let mut attempts = 0;
    while fixture.now < fixture.start + seconds(3.0) {
        for started in fixture.started() {
            assert_eq!(started, "a");
            attempts += 1;
            fixture.missed("a", true);
        }
        fixture.turn(seconds(3.0));
    }
    assert_eq!(attempts, 500);
    assert!(fixture.scheduler.queues[&origin("a")].is_idle());
}

#[test]
fn what_a_sick_origin_ends_with_is_expected_and_that_it_is_well_again_is_news() {
    let mut fixture = Fixture::new(50);
    fixture.push("a", &["a"; 30]);
    let most = FAILURES as usize + 1;
    for _ in 0..most {
        fixture.scheduler.start(fixture.now).unwrap();
    }
    let end = |fixture: &mut Fixture, probe, signal| fixture.scheduler.finish(&origin("a"), probe, signal, fixture.now);
    let expected: Vec<_> = (0..most).map(|_| end(&mut fixture, false, OriginSignal::Unreachable("connect"))).collect();
    assert_eq!(expected, [false, false, false, true], "it is sick from the third on");
    fixture.turn(seconds(1.0));
    let probe = fixture.scheduler.start(fixture.now).unwrap().probe;
    assert!(probe && !end(&mut fixture, probe, OriginSignal::Reached));
}

#[test]
fn sick_origins_that_refuse_take_little_time() {
    let mut fixture = Fixture::new(50);
    let hosts = ["a", "b", "c"];
    hosts.iter().for_each(|host| fixture.sicken(host));
    hosts.iter().for_each(|host| fixture.push(host, &["item"; 500]));
    // Each ends as soon as it has started.
    let mut attempts = 0;
    while fixture.now < fixture.start + seconds(1.0) {
        while let Some(started) = fixture.scheduler.start(fixture.now) {
            let host = hosts[attempts % 3];
            assert!(started.probe && fixture.scheduler.queues[&origin(host)].probes == 1, "they take turns");
            fixture.missed(host, true);
            attempts += 1;
        }
        fixture.turn(seconds(1.0));
    }
    assert!((195..=205).contains(&attempts), "{attempts}");
}

#[test]
fn an_attempt_at_a_sick_origin_gives_way_to_requests_that_start_just_then_and_not_for_ever() {
    let mut fixture = Fixture::new(50);
    fixture.sicken("sick");
    fixture.push("sick", &["probe"; 500]);
    assert_eq!(fixture.started(), ["probe"]);
    fixture.missed("sick", true);
    let (mut probes, mut together) = (0, 0);
    // A request to a healthy origin every half millisecond, each done with by the next.
    for number in 1..=2000 {
        fixture.now = fixture.start + seconds(f64::from(number) * 0.0005);
        fixture.push("well", &["well"]);
        fixture.scheduler.run_timers(fixture.now);
        let started: Vec<_> = std::iter::from_fn(|| fixture.scheduler.start(fixture.now)).collect();
        let begun = started.iter().filter(|started| started.probe).count();
        probes += begun;
        together += usize::from(begun > 0 && started[0].probe);
        (0..begun).for_each(|_| fixture.missed("sick", true));
        fixture.reached("well");
    }
    assert_eq!(together, 0, "the request goes first");
    assert!((130..=145).contains(&probes), "every seven milliseconds: {probes}");
}

#[test]
fn sick_origins_that_hang_take_a_quarter_of_the_places_and_one_leaves_as_much_as_it_has() {
    let mut fixture = Fixture::new(50);
    for host in ["a", "b", "c", "d"] {
        fixture.sicken(host);
    }
    fixture.push("a", &["a"; 100]);
    assert_eq!(fixture.started_by(seconds(1.0)).len(), 13);
    fixture.push("b", &["b"; 100]);
    assert_eq!(fixture.started_by(seconds(2.0)).len(), 6);
    fixture.push("c", &["c"; 100]);
    fixture.push("d", &["d"; 2]);
    let started = fixture.started_by(seconds(3.0));
    assert_eq!(started.iter().filter(|item| **item == "d").count(), 2);
    assert!(fixture.scheduler.probe_limiter.free(100) > 0, "another one would have room");
    fixture.push("well", &["well"; 50]);
    assert_eq!(fixture.started(), ["well"; 50]);
    // One that ends makes room for one of another.
    fixture.missed("a", true);
    assert_eq!(fixture.started_by(seconds(4.0)), ["c"]);
}

#[test]
fn where_places_are_scarce_sick_origins_have_the_turn_of_one() {
    let mut fixture = Fixture::new(50);
    fixture.sicken("sick");
    fixture.push("x", &["x"; 200]);
    fixture.push("y", &["y"; 200]);
    fixture.started();
    ["x", "y"].iter().for_each(|host| fixture.reached(host));
    fixture.started();
    assert_eq!(fixture.scheduler.under_way, 100);
    fixture.push("sick", &["sick"; 10]);
    let mut order = Vec::new();
    for host in ["x", "y"].repeat(10) {
        fixture.now += seconds(0.01);
        fixture.scheduler.run_timers(fixture.now);
        fixture.reached(host);
        order.extend(fixture.started());
    }
    let sick = order.iter().filter(|item| **item == "sick").count();
    assert_eq!(order.len(), 20);
    assert!((5..=7).contains(&sick), "{order:?}");
}

#[test]
fn one_that_recovers_gets_more_bit_by_bit() {
    let mut fixture = Fixture::new(8);
    fixture.sicken("a");
    fixture.push("a", &["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"]);
    assert_eq!(fixture.started(), ["a1"]);
    fixture.scheduler.finish(&origin("a"), true, OriginSignal::Reached, fixture.now);
    assert_eq!(fixture.health(), Some(OriginHealth::Healthy));
    assert_eq!(fixture.started(), ["a2", "a3"]);
    fixture.reached("a");
    fixture.reached("a");
    assert_eq!(fixture.started(), ["a4", "a5", "a6", "a7"]);
    (0..4).for_each(|_| fixture.reached("a"));
    assert_eq!(fixture.started(), ["a8", "a9"]);
    assert!(fixture.scheduler.queues[&origin("a")].throttle.is_none(), "it gets all that the limits allow again");
    assert_eq!(fixture.scheduler.probe_limiter.free(100), 25);
}

#[test]
fn a_connection_is_a_recovery_however_long_the_reply_takes() {
    let mut fixture = Fixture::new(8);
    fixture.sicken("a");
    fixture.push("a", &["a1", "a2", "a3"]);
    assert!(fixture.scheduler.start(fixture.now).is_some_and(|started| started.watch));
    fixture.scheduler.reach(&origin("a"), fixture.now);
    assert_eq!(fixture.health(), Some(OriginHealth::Healthy));
    assert_eq!(fixture.started(), ["a2"], "a1 is still under way");
    fixture.scheduler.reach(&origin("a"), fixture.now);
    assert_eq!(fixture.started(), ["a3"]);
}

#[test]
fn failures_that_a_connection_comes_between_are_not_in_a_row() {
    let mut fixture = Fixture::new(8);
    for _ in 0..5 {
        fixture.push("a", &["a"; FAILURES as usize]);
        for _ in 1..FAILURES {
            fixture.started();
            fixture.missed("a", false);
        }
        fixture.reached("a");
        assert_eq!(fixture.health(), Some(OriginHealth::Healthy));
    }
}

#[test]
fn a_held_origin_sends_back_what_can_wait_and_starts_all_else() {
    let mut fixture = Fixture::new(8);
    fixture.push("a", &["a1"]);
    assert_eq!(fixture.started(), ["a1"]);
    fixture.reached("a");
    fixture.push("a", &["a2", "!a3"]);
    fixture.scheduler.defer(&origin("a"), fixture.now + seconds(3.0), fixture.now);
    assert_eq!(fixture.health(), Some(OriginHealth::Deferred));
    assert_eq!(fixture.scheduler.events().sent_back, ["a2"]);
    fixture.push("a", &["a4", "!a5", "!a6"]);
    assert_eq!(fixture.scheduler.events().sent_back, ["a2", "a4"]);
    assert_eq!(fixture.started(), ["!a3", "!a5", "!a6"]);
    // A later moment counts, an earlier one does not.
    fixture.scheduler.defer(&origin("a"), fixture.now + seconds(5.0), fixture.now);
    fixture.scheduler.defer(&origin("a"), fixture.now + seconds(4.0), fixture.now);
    while fixture.turn(seconds(4.99)) {}
    (0..3).for_each(|_| fixture.reached("a"));
    fixture.push("a", &["a7"]);
    assert_eq!(fixture.started(), Vec::<&str>::new());
    fixture.turn(seconds(5.0));
    assert_eq!(fixture.health(), Some(OriginHealth::Healthy));
    fixture.push("a", &["a2", "a4", "!a8", "a7"]);
    assert_eq!(fixture.started(), ["a2", "!a8"], "of those who waited one to begin with");
    fixture.reached("a");
    fixture.reached("a");
    assert_eq!(fixture.started(), ["a4", "a7"]);
}

#[test]
fn an_origin_in_trouble_is_forgotten_when_nobody_sends_to_it() {
    let mut fixture = Fixture::new(8);
    fixture.sicken("a");
    fixture.scheduler.defer(&origin("b"), fixture.now + seconds(3.0), fixture.now);
    assert_eq!(fixture.scheduler.queues.len(), 2);
    while fixture.turn(seconds(1300.0)) {}
    assert!(fixture.scheduler.queues.is_empty() && fixture.scheduler.next_timer().is_none());
    assert!(fixture.scheduler.events().states.iter().rev().take(2).all(OriginState::is_healthy));
}

#[test]
fn without_a_threshold_no_origin_is_sick() {
    let mut fixture = Fixture::new(8);
    fixture.sicken("a");
    fixture.push("a", &["a1", "a2"]);
    let limits = Limits { breaker_failures: 0, ..fixture.scheduler.limits };
    fixture.scheduler.set_limits(limits, fixture.now);
    assert_eq!(fixture.started(), ["a1", "a2"]);
    for _ in 0..20 {
        fixture.push("a", &["more"]);
        fixture.started();
        fixture.missed("a", false);
    }
    fixture.push("a", &["still"]);
    assert_eq!(fixture.started(), ["still"]);
}

#[test]
fn what_waits_for_a_sick_origin_can_be_forgotten() {
    let mut fixture = Fixture::new(8);
    fixture.sicken("a");
    fixture.push("a", &["a1", "a2"]);
    assert_eq!(fixture.started(), ["a1"]);
    fixture.scheduler.clear();
    fixture.missed("a", true);
    assert_eq!(fixture.started_by(seconds(1.0)), Vec::<&str>::new());
    fixture.push("a", &["a3"]);
    assert_eq!(fixture.started_by(seconds(2.0)), ["a3"]);
}
