//! The schedule, on a clock that only the tests turn: nothing here waits.

use super::*;
use crate::address::target::Target;
use crate::message::failure::Failure;
use crate::message::outcome::{Content, Headers, Response};
use crate::trace::Trace;
use crate::trace::phases::Phases;

const POLICY: RetryPolicy = RetryPolicy {
    base: Duration::from_secs(1),
    cap: Duration::from_secs(600),
    retry_after_max: Duration::from_secs(3600),
};

fn failed(kind: FailureKind) -> Outcome {
    Outcome { key: 1, result: Err(Failure::new(kind)), elapsed: Duration::ZERO }
}

fn replied(status: u16, fields: &[(&str, &str)]) -> Outcome {
    let mut headers = Headers::default();
    for (name, value) in fields {
        headers.push(name.as_bytes(), value.as_bytes());
    }
    let target = Target::parse("http://a/").unwrap();
    let trace = Trace { phases: Phases::default(), redirects: 0, remote: None, version: None, target };
    let response =
        Response { status, headers, content: Content::Empty, detail: None, trace, memory: Default::default() };
    Outcome { key: 1, result: Ok(response), elapsed: Duration::ZERO }
}

/// What is drawn after so many attempts, many times over, in order.
fn waits(outcome: &Outcome, attempts: u32) -> Vec<Duration> {
    let mut jitter = Jitter::with_seed(u64::from(attempts));
    let draw = || POLICY.next_attempt(outcome, attempts, u32::MAX, SystemTime::UNIX_EPOCH, &mut jitter).unwrap();
    let mut waits = std::iter::repeat_with(draw).take(10_000).collect::<Vec<_>>();
    waits.sort();
    waits
}

#[test]
fn the_published_schedule() {
    let longest = (1..=12).map(|attempts| POLICY.longest_wait(attempts).as_secs()).collect::<Vec<_>>();
    assert_eq!(longest, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 600, 600]);
    assert_eq!(POLICY.longest_wait(u32::MAX), POLICY.cap);
    let endless = RetryPolicy { cap: Duration::MAX, base: Duration::MAX, ..POLICY };
    assert_eq!(endless.longest_wait(90), Duration::MAX);
}

#[test]
fn waits_are_drawn_evenly_from_nothing_to_the_longest() {
    for attempts in [1, 2, 5, 10, 11, 40] {
        let longest = POLICY.longest_wait(attempts);
        let waits = waits(&failed(FailureKind::Connect), attempts);
        assert!(*waits.last().unwrap() <= longest);
        // Each tenth of the range gets its tenth of the draws, give or take a fifth: seven standard deviations.
        for tenth in 0..10 {
            let (from, to) = (longest * tenth / 10, longest * (tenth + 1) / 10);
            let share = waits.iter().filter(|&&wait| from <= wait && wait < to).count();
            assert!((800..=1200).contains(&share), "{share} of 10,000 in tenth {tenth} after {attempts} attempts");
        }
    }
}

#[test]
fn a_whole_life_follows_the_schedule() {
    // A request that fails each time, on a clock that jumps from one attempt to the next.
    let mut jitter = Jitter::with_seed(1);
    let lives = (0..2000).map(|_| {
        let mut clock = Duration::ZERO;
        let mut attempts = 1;
        let outcome = failed(FailureKind::Connect);
        while let Some(wait) = POLICY.next_attempt(&outcome, attempts, 12, SystemTime::UNIX_EPOCH, &mut jitter) {
            clock += wait;
            attempts += 1;
        }
        assert_eq!(attempts, 12);
        clock.as_secs_f64()
    });
    let mean = lives.sum::<f64>() / 2000.0;
    // Half of 1 + 2 + 4 + … + 512 + 600; the standard deviation of the mean is 5 s.
    assert!((mean - 811.5).abs() < 30.0, "{mean}");
}

#[test]
fn the_last_attempt_is_the_last() {
    let mut jitter = Jitter::with_seed(1);
    let mut next = |attempts, most| {
        POLICY.next_attempt(&failed(FailureKind::NoReply), attempts, most, SystemTime::UNIX_EPOCH, &mut jitter)
    };
    assert!(next(1, 2).is_some());
    assert_eq!(next(2, 2), None);
    assert_eq!(next(1, 1), None);
    assert_eq!(next(3, 2), None, "the row was changed meanwhile");
}

/// The kinds of failure, each once. The compiler asks for a line here where there is a new one.
fn every_kind() -> Vec<FailureKind> {
    let mut kinds = vec![FailureKind::Timeout { limit: Duration::from_secs(1), phases: Phases::default() }];
    loop {
        kinds.push(match kinds.last().unwrap() {
            FailureKind::Timeout { .. } => FailureKind::Forbidden,
            FailureKind::Forbidden => FailureKind::Connect,
            FailureKind::Connect => FailureKind::Resolve,
            FailureKind::Resolve => FailureKind::ResolveProxy,
            FailureKind::ResolveProxy => FailureKind::Proxy,
            FailureKind::Proxy => FailureKind::NoReply,
            FailureKind::NoReply => FailureKind::WeirdReply,
            FailureKind::WeirdReply => FailureKind::Certificate,
            FailureKind::Certificate => FailureKind::ClientCertificate,
            FailureKind::ClientCertificate => FailureKind::ClientCertificateRefused,
            FailureKind::ClientCertificateRefused => FailureKind::TlsHandshake,
            FailureKind::TlsHandshake => FailureKind::TooManyRedirects,
            FailureKind::TooManyRedirects => FailureKind::BadRedirect,
            FailureKind::BadRedirect => FailureKind::Partial,
            FailureKind::Partial => FailureKind::Receive,
            FailureKind::Receive => FailureKind::Send,
            FailureKind::Send => FailureKind::TooLarge { limit: 1 },
            FailureKind::TooLarge { .. } => FailureKind::Abandoned,
            FailureKind::Abandoned => FailureKind::Memory { limit: 1 },
            FailureKind::Memory { .. } => FailureKind::Invalid("wrong".into()),
            FailureKind::Invalid(_) => FailureKind::Internal("broken".into()),
            FailureKind::Internal(_) => return kinds,
        });
    }
}

/// The table in the documentation is what this compares with: it names each kind once.
#[test]
fn what_another_attempt_could_better() {
    for status in 200..=999 {
        let again = [408, 425, 429, 500, 502, 503, 504].contains(&status);
        assert_eq!(RetryPolicy::is_retryable(&replied(status, &[])), again, "{status}");
    }
    let rows = include_str!("../retry.rs").lines().filter_map(|line| line.trim().strip_prefix("/// | `"));
    let mut table = std::collections::BTreeMap::new();
    for row in rows {
        let (names, rest) = row.split_once(" | ").unwrap();
        let again = rest.starts_with("yes |");
        assert!(again || rest.starts_with("no |"), "{row}");
        for name in names.split(", ") {
            assert_eq!(table.insert(name.trim_matches('`'), again), None, "{name} stands twice");
        }
    }
    for kind in every_kind() {
        assert_eq!(table.remove(kind.name()), Some(RetryPolicy::is_retryable(&failed(kind.clone()))), "{kind:?}");
    }
    assert!(table.is_empty(), "{table:?}");
}

#[test]
fn what_the_server_asks_for_is_the_least_and_the_rest_is_spread() {
    for (value, least) in [("3", 3), ("Thu, 01 Jan 1970 00:02:00 GMT", 120), ("86400", 3600)] {
        let waits = waits(&replied(503, &[("Retry-After", value)]), 2);
        let least = Duration::from_secs(least);
        assert!(waits[0] >= least && waits[0] < least + Duration::from_millis(10), "{value}: {:?}", waits[0]);
        let last = *waits.last().unwrap();
        assert!(last <= least + POLICY.longest_wait(2) && last > least + Duration::from_millis(1990), "{last:?}");
    }
    let past = replied(503, &[("Retry-After", "Sun, 06 Nov 1994 08:49:37 GMT")]);
    let mut jitter = Jitter::with_seed(1);
    let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_778);
    assert!(POLICY.next_attempt(&past, 1, 2, now, &mut jitter).unwrap() <= POLICY.base);
}
