//! Files of certificates, as they are found in the field.

#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let (read, broken) = engine::fuzzing::certificates(bytes);
    fuzz::planted_bug(broken > 1 && broken > read);
});
