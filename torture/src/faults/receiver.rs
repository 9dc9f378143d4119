//! Faults of the receiver's.

use super::Injection;
use crate::clock;
use crate::harness::{Harness, harmless};
use crate::receipts::Event;
use crate::rng::Rng;

/// Kills the receiver, and starts it again on the same port after a while.
pub(super) fn kill(harness: &mut Harness) -> Option<Injection> {
    let begin = clock::now();
    harness.receiver.kill();
    harness.pause(0, 150);
    harness.receiver.start_again();
    harmless(begin)
}

/// The receiver breaks replies by itself, as the paths say; this only looks whether it did.
pub(super) fn break_replies(harness: &mut Harness) -> Option<Injection> {
    let begin = clock::now();
    harness.pause(20, 200);
    let lines = harness.receiver.lines();
    let broke = lines.iter().rev().take_while(|line| line.at >= begin).any(|line| line.event == Event::BrokenOff);
    if broke { harmless(begin) } else { None }
}

/// Every third reply is broken.
pub(super) fn broken_path(rng: &mut Rng) -> String {
    const BROKEN: [&str; 7] =
        ["/reset", "/close", "/truncate", "/chunked-cut", "/reset-body", "/garbage", "/half-close"];
    if rng.chance(33) { rng.pick(&BROKEN).to_owned() } else { super::usual_path(rng) }
}

/// The receiver, or what stands before it, closes connections by itself, again and again. This only lets a while pass.
pub(super) fn go_on(harness: &mut Harness) -> Option<Injection> {
    let begin = clock::now();
    harness.pause(20, 200);
    harmless(begin)
}

/// Every second reply is the last on its connection, which the receiver does not say: the next request may be on its way.
pub(super) fn closing_path(rng: &mut Rng) -> String {
    if rng.chance(50) { format!("/close-after/{}", rng.between(0, 3)) } else { super::usual_path(rng) }
}
