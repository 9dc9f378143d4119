//! Values of SQL types.

pub(crate) mod array;
pub(crate) mod clock;
pub(crate) mod composite;
pub(crate) mod interval;
pub(crate) mod jsonb;
pub(crate) mod list;
pub(crate) mod random;
pub(crate) mod text;
pub(crate) mod value;

use std::ffi::CStr;

use pgrx::pg_sys;

/// A type's name.
fn name(of_type: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up within a transaction; the answer is a C string in the current memory context.
    unsafe { CStr::from_ptr(pg_sys::format_type_be(of_type)).to_string_lossy().into_owned() }
}
