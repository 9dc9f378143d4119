//! Origins that fail or ask to be left alone, on a clock that the tests turn.

use super::*;
use crate::failure::FailureKind;
use crate::standing::Standing;

const FAILURES: u32 = 3;

/// A queue, a clock, and what the host has heard.
struct Bench {
    queue: FairQueue<&'static str>,
    start: Instant,
    now: Instant,
}

impl Bench {
    fn new(per_origin: usize) -> Self {
        let limits = Limits { total: 100, per_origin, breaker_failures: FAILURES };
        let now = Instant::now();
        Self { queue: FairQueue::with_jitter(limits, Jitter::with_seed(7)), start: now, now }
    }

    fn push(&mut self, host: &str, items: &[&'static str]) {
        for item in items {
            self.queue.push(origin(host), item, self.now);
        }
    }

    fn started(&mut self) -> Vec<&'static str> {
        std::iter::from_fn(|| self.queue.start(self.now)).map(|started| started.item).collect()
    }

    fn probe(&mut self) -> Option<&'static str> {
        let started = self.queue.start(self.now)?;
        assert!(started.probe && self.queue.start(self.now).is_none(), "one at a time");
        Some(started.item)
    }

    fn reached(&mut self, host: &str) {
        self.queue.finish(&origin(host), false, Reading::Reached, self.now);
    }

    fn missed(&mut self, host: &str, probe: bool) {
        let failure = Failure::new(FailureKind::Connect);
        self.queue.finish(&origin(host), probe, Reading::Missed(&failure), self.now);
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

    fn break_down(&mut self, host: &str) {
        for _ in 0..FAILURES {
            self.push(host, &["early"]);
            assert_eq!(self.started(), ["early"]);
            self.missed(host, false);
        }
        assert_eq!(self.standing(), Some(Standing::Probed));
    }

    fn standing(&mut self) -> Option<Standing> {
        self.queue.news().states.drain(..).next_back().map(|state| state.standing)
    }

    fn given_up(&mut self) -> Vec<&'static str> {
        self.queue.news().given_up.drain(..).map(|given_up| given_up.item).collect()
    }
}

fn seconds(seconds: f64) -> Duration {
    Duration::from_secs_f64(seconds)
}

#[test]
fn an_origin_that_keeps_failing_is_probed_and_takes_no_slots() {
    let mut bench = Bench::new(50);
    bench.break_down("a");
    bench.push("a", &["a1", "a2", "a3"]);
    assert_eq!(bench.started(), Vec::<&str>::new(), "it has failed a moment ago");
    bench.push("b", &["b1", "b2"]);
    assert_eq!(bench.started(), ["b1", "b2"]);
    assert!(bench.turn(seconds(1.0)));
    assert_eq!(bench.probe(), Some("a1"));
}

#[test]
fn a_probe_that_succeeds_lets_the_others_go_bit_by_bit() {
    let mut bench = Bench::new(8);
    bench.break_down("a");
    bench.push("a", &["a1", "a2", "a3", "a4", "a5", "a6", "a7", "a8", "a9"]);
    bench.turn(seconds(1.0));
    assert_eq!(bench.probe(), Some("a1"));
    bench.reached("a");
    assert_eq!(bench.standing(), Some(Standing::Open));
    assert_eq!(bench.started(), ["a2", "a3"]);
    bench.reached("a");
    bench.reached("a");
    assert_eq!(bench.started(), ["a4", "a5", "a6", "a7"]);
    (0..4).for_each(|_| bench.reached("a"));
    assert_eq!(bench.started(), ["a8", "a9"]);
    assert!(bench.given_up().is_empty());
    assert!(bench.queue.lanes[&origin("a")].restraint.is_none(), "it gets all that the limits allow again");
}

#[test]
fn who_waited_as_long_as_the_timeout_gets_what_came_of_a_probe_made_meanwhile() {
    let mut bench = Bench::new(50);
    bench.break_down("a");
    bench.push("a", &["a1", "a2", "a3"]);
    bench.turn(seconds(1.0));
    assert_eq!(bench.probe(), Some("a1"));
    bench.missed("a", true);
    assert!(bench.given_up().is_empty(), "their time is not up");
    while bench.turn(seconds(1.9)) {
        assert_eq!(bench.probe(), None, "what they need to know is known");
    }
    bench.turn(seconds(2.0));
    let given_up = std::mem::take(&mut bench.queue.news().given_up);
    assert_eq!(given_up.iter().map(|given_up| given_up.item).collect::<Vec<_>>(), ["a2", "a3"]);
    assert!(given_up.iter().all(|given_up| given_up.waited == seconds(2.0)));
    assert_eq!(given_up[0].failure.kind(), &FailureKind::Connect);
}

#[test]
fn nobody_is_told_of_a_probe_made_before_they_came() {
    let mut bench = Bench::new(50);
    bench.break_down("a");
    bench.push("a", &["a1"]);
    bench.turn(seconds(1.0));
    assert_eq!(bench.probe(), Some("a1"));
    // It starts waiting while the probe is under way, which takes longer than the one that waits has time.
    bench.now += seconds(0.1);
    bench.push("a", &["a2"]);
    while bench.turn(seconds(5.0)) {}
    bench.missed("a", true);
    assert!(bench.given_up().is_empty());
    assert_eq!(bench.probe(), Some("a2"), "so it has an attempt of its own");
}

#[test]
fn however_long_it_is_down_somebody_probes_within_half_of_a_timeout() {
    let mut bench = Bench::new(50);
    bench.break_down("a");
    let (mut probes, mut given_up) = (0, 0);
    // A request each half second, for five minutes; each probe is refused at once.
    for half in 1..=600 {
        bench.push("a", &["next"]);
        loop {
            if bench.probe().is_some() {
                probes += 1;
                bench.missed("a", true);
            }
            given_up += bench.given_up().len();
            if !bench.turn(seconds(f64::from(half) / 2.0)) {
                break;
            }
        }
        assert!(bench.queue.lanes[&origin("a")].waiting.len() <= 6, "nobody waits much longer than the timeout");
    }
    assert!((100..=310).contains(&probes), "{probes} probes");
    assert!(given_up > 250, "{given_up} given up");
}

#[test]
fn a_held_origin_sends_back_what_waits_and_starts_nothing() {
    let mut bench = Bench::new(8);
    bench.push("a", &["a1"]);
    assert_eq!(bench.started(), ["a1"]);
    bench.push("a", &["a2", "!a3"]);
    bench.queue.hold(&origin("a"), bench.now + seconds(3.0), bench.now);
    bench.reached("a");
    assert_eq!(bench.standing(), Some(Standing::Held));
    assert_eq!(bench.queue.news().sent_back, ["a2"]);
    bench.push("a", &["a4"]);
    assert_eq!(bench.queue.news().sent_back, ["a2", "a4"]);
    assert_eq!(bench.started(), Vec::<&str>::new());
    // A later moment counts, an earlier one does not.
    bench.queue.hold(&origin("a"), bench.now + seconds(5.0), bench.now);
    bench.queue.hold(&origin("a"), bench.now + seconds(4.0), bench.now);
    while bench.turn(seconds(4.99)) {}
    assert_eq!(bench.started(), Vec::<&str>::new());
    bench.turn(seconds(5.0));
    assert_eq!(bench.standing(), Some(Standing::Open));
    bench.push("a", &["a2", "a4"]);
    assert_eq!(bench.started(), ["!a3"], "one to begin with");
    bench.reached("a");
    assert_eq!(bench.started(), ["a2", "a4"]);
}

#[test]
fn an_origin_in_trouble_is_forgotten_when_nobody_sends_to_it() {
    let mut bench = Bench::new(8);
    bench.break_down("a");
    bench.queue.hold(&origin("b"), bench.now + seconds(3.0), bench.now);
    assert_eq!(bench.queue.lanes.len(), 2);
    while bench.turn(seconds(1300.0)) {}
    assert!(bench.queue.lanes.is_empty() && bench.queue.next_look().is_none());
    assert!(bench.queue.news().states.iter().rev().take(2).all(OriginState::is_well));
}

#[test]
fn without_a_threshold_no_origin_is_probed() {
    let mut bench = Bench::new(8);
    bench.break_down("a");
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
