//! Bodies and their content codings: the codings up to the first line break, then the body.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let Ok(codings) = std::str::from_utf8(&bytes[..end]) else { return };
    let body = bytes.get(end + 1..).unwrap_or_default();
    let length = engine::fuzzing::content_coding(body, codings);
    fuzz::planted_bug(length > body.len() * 20);
});
