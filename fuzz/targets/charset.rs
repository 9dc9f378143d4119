//! Bodies and their content types: the type up to the first line break, then the body.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let Ok(content_type) = std::str::from_utf8(&bytes[..end]) else { return };
    let body = bytes.get(end + 1..).unwrap_or_default();
    let characters = engine::fuzzing::charset(body, content_type);
    // UTF-16 or another charset with more than a byte a character.
    fuzz::planted_bug(characters > 3 && characters * 2 == body.len());
});
