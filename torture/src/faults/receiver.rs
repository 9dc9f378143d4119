//! Faults of the receiver's.

use super::Injection;
use crate::clock;
use crate::harness::{Field, harmless};
use crate::receipts::Event;
use crate::rng::Dice;

/// Kills the receiver, and starts it again on the same port after a while.
pub(super) fn kill(field: &mut Field) -> Option<Injection> {
    let begin = clock::now();
    field.receiver.kill();
    field.pause(0, 150);
    field.receiver.start_again();
    harmless(begin)
}

/// The receiver breaks replies by itself, as the paths say; this only looks whether it did.
pub(super) fn break_replies(field: &mut Field) -> Option<Injection> {
    let begin = clock::now();
    field.pause(20, 200);
    let lines = field.receiver.lines();
    let broke = lines.iter().rev().take_while(|line| line.at >= begin).any(|line| line.event == Event::BrokenOff);
    if broke { harmless(begin) } else { None }
}

/// Every third reply is broken.
pub(super) fn broken_path(dice: &mut Dice) -> String {
    const BROKEN: [&str; 7] =
        ["/reset", "/close", "/truncate", "/chunked-cut", "/reset-body", "/garbage", "/half-close"];
    if dice.chance(33) { dice.pick(&BROKEN).to_owned() } else { super::usual_path(dice) }
}

/// The receiver, or what stands before it, closes connections by itself, again and again. This only lets a while pass.
pub(super) fn go_on(field: &mut Field) -> Option<Injection> {
    let begin = clock::now();
    field.pause(20, 200);
    harmless(begin)
}

/// Every second reply is the last on its connection, which the receiver does not say: the next request may be on its way.
pub(super) fn closing_path(dice: &mut Dice) -> String {
    if dice.chance(50) { format!("/close-after/{}", dice.between(0, 3)) } else { super::usual_path(dice) }
}
