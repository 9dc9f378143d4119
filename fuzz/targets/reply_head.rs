//! Heads of replies, in pieces: the first byte is their length.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, head)) = bytes.split_first() else { return };
    let fields = engine::fuzzing::reply_head(head, usize::from(*piece));
    // A folded value.
    fuzz::planted_bug(fields.iter().any(|(name, value)| name == "X" && value.contains("a b")));
});
