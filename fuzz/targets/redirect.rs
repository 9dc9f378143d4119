//! Replies that send elsewhere or ask to come later: a byte that chooses the status, then the head.

#![no_main]

use libfuzzer_sys::fuzz_target;

const STATUSES: [u16; 8] = [301, 302, 303, 307, 308, 429, 503, 200];

fuzz_target!(|bytes: &[u8]| {
    let Some((status, head)) = bytes.split_first() else { return };
    let next = engine::fuzzing::redirect(STATUSES[usize::from(*status) % STATUSES.len()], head);
    fuzz::planted_bug(next.is_some_and(|url| url.starts_with("https:") && url.contains("?")));
});
