use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::jitter::Jitter;

/// The first pause between two probes, and the longest. Each is twice the one before; half of it is drawn, so that the
/// breakers of several workers do not probe in step.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// Counts an origin's failures in a row, and opens at too many: then one request at a time is let through as a probe, with
/// growing pauses, until one reaches the origin.
#[derive(Debug, Default)]
pub(crate) struct Breaker {
    failures: u32,
    last_failure: Option<&'static str>,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    pauses: u32,
    next_probe: Instant,
    /// When the probe that is under way started.
    probing_since: Option<Instant>,
    /// When the last finished probe started, and what came of it.
    last: Option<(Instant, Failure)>,
}

impl Breaker {
    pub(crate) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(crate) fn failures(&self) -> u32 {
        self.failures
    }

    pub(crate) fn last_failure(&self) -> Option<&'static str> {
        self.last_failure
    }

    pub(crate) fn next_probe(&self) -> Option<Instant> {
        self.open.as_ref().map(|open| open.next_probe)
    }

    /// A request reached the origin.
    pub(crate) fn close(&mut self) {
        *self = Self::default();
    }

    /// A request did not reach the origin. `threshold` is how many of them in a row open the breaker; none does at 0.
    pub(crate) fn fail(&mut self, failure: &Failure, probe: bool, threshold: u32, now: Instant, jitter: &mut Jitter) {
        self.failures = self.failures.saturating_add(1);
        self.last_failure = Some(failure.kind().name());
        match &mut self.open {
            Some(open) if probe => {
                let started = open.probing_since.take().unwrap_or(now);
                open.last = Some((started, failure.clone()));
                open.pauses = open.pauses.saturating_add(1);
                open.next_probe = now + pause(open.pauses, jitter);
            }
            // It had been sent before the breaker opened.
            Some(_) => {}
            None if threshold > 0 && self.failures >= threshold => {
                let next_probe = now + pause(0, jitter);
                self.open = Some(Open { pauses: 0, next_probe, probing_since: None, last: None });
            }
            None => {}
        }
    }

    /// The probe ended without meeting the origin or failing to: another one may go at once.
    pub(crate) fn waive(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.probing_since = None;
            open.next_probe = now;
        }
    }

    pub(crate) fn may_probe(&self, now: Instant) -> bool {
        self.open.as_ref().is_some_and(|open| open.probing_since.is_none() && open.next_probe <= now)
    }

    pub(crate) fn probe(&mut self, now: Instant) {
        if let Some(open) = &mut self.open {
            open.probing_since = Some(now);
        }
    }

    /// Has the next probe made no later than this.
    pub(crate) fn hasten(&mut self, latest: Instant) {
        if let Some(open) = &mut self.open {
            open.next_probe = open.next_probe.min(latest);
        }
    }

    /// What came of the last probe, if it was made since then.
    pub(crate) fn failure_since(&self, since: Instant) -> Option<&Failure> {
        let (started, failure) = self.open.as_ref()?.last.as_ref()?;
        (*started >= since).then_some(failure)
    }
}

fn pause(pauses: u32, jitter: &mut Jitter) -> Duration {
    let factor = 1u32.checked_shl(pauses).unwrap_or(u32::MAX);
    let longest = FIRST_PAUSE.saturating_mul(factor).min(LONGEST_PAUSE);
    longest / 2 + jitter.up_to(longest / 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::failure::FailureKind;

    fn refused() -> Failure {
        Failure::new(FailureKind::Connect)
    }

    #[test]
    fn it_opens_at_so_many_failures_in_a_row() {
        let (mut breaker, now, mut jitter) = (Breaker::default(), Instant::now(), Jitter::with_seed(1));
        for _ in 0..2 {
            breaker.fail(&refused(), false, 3, now, &mut jitter);
        }
        breaker.close();
        for failures in 1..=3 {
            assert!(!breaker.is_open());
            breaker.fail(&refused(), false, 3, now, &mut jitter);
            assert_eq!((breaker.failures(), breaker.last_failure()), (failures, Some("connect")));
        }
        assert!(breaker.is_open());
        let mut never = Breaker::default();
        (0..100).for_each(|_| never.fail(&refused(), false, 0, now, &mut jitter));
        assert!(!never.is_open());
    }

    #[test]
    fn one_probe_at_a_time_with_growing_pauses() {
        let (mut breaker, mut now, mut jitter) = (Breaker::default(), Instant::now(), Jitter::with_seed(1));
        breaker.fail(&refused(), false, 1, now, &mut jitter);
        for longest in [1, 2, 4, 8, 16, 30, 30].map(Duration::from_secs) {
            let pause = breaker.next_probe().unwrap() - now;
            assert!(pause >= longest / 2 && pause <= longest, "{pause:?} of {longest:?}");
            assert!(!breaker.may_probe(now));
            now += pause;
            assert!(breaker.may_probe(now));
            breaker.probe(now);
            assert!(!breaker.may_probe(now + LONGEST_PAUSE), "one is under way");
            breaker.fail(&refused(), true, 1, now, &mut jitter);
        }
        breaker.close();
        assert!(!breaker.is_open() && breaker.failures() == 0);
    }

    #[test]
    fn a_probes_failure_serves_those_who_waited_when_it_started() {
        let (mut breaker, start, mut jitter) = (Breaker::default(), Instant::now(), Jitter::with_seed(1));
        let at = |seconds| start + Duration::from_secs(seconds);
        breaker.fail(&refused(), false, 1, at(0), &mut jitter);
        breaker.probe(at(2));
        breaker.fail(&refused(), false, 1, at(3), &mut jitter);
        assert!(breaker.failure_since(at(1)).is_none(), "that was not the probe");
        breaker.fail(&refused(), true, 1, at(4), &mut jitter);
        assert!(breaker.failure_since(at(1)).is_some() && breaker.failure_since(at(2)).is_some());
        assert!(breaker.failure_since(at(3)).is_none());
    }
}
