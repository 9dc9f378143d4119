//! URLs and header fields, as callers give them.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    // As a line each, so that the corpus can be read: the URL, then names and values in turn.
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let mut lines = text.split('\n');
    let url = lines.next().unwrap_or_default();
    let rest: Vec<&str> = lines.collect();
    let fields: Vec<_> = rest.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect();
    let sent = engine::fuzzing::request(url, &fields);
    fuzz::planted_bug(sent.is_some_and(|url| url.contains("%41") && url.contains('@')));
});
