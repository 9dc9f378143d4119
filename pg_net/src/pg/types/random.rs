//! Randomness of Postgres' own.

use std::ffi::CStr;

use pgrx::{direct_function_call_as_datum, pg_sys};

/// A random UUID (RFC 9562, version 4), as text.
pub(crate) fn uuid() -> String {
    // SAFETY: a function without arguments, and the output function of the type that it gives, which answers with a C string.
    unsafe {
        let uuid = direct_function_call_as_datum(pg_sys::gen_random_uuid, &[]);
        let text = direct_function_call_as_datum(pg_sys::uuid_out, &[uuid]);
        text.map(|text| CStr::from_ptr(text.cast_mut_ptr()).to_string_lossy().into_owned()).unwrap_or_default()
    }
}
