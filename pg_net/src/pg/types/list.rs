//! Postgres' lists, read.

use pgrx::pg_sys;

/// The cells of a list, of whatever it is a list.
///
/// # Safety
///
/// `list` must be a list that lives for `'a` and does not change meanwhile, or null for the empty one.
pub(crate) unsafe fn cells<'a>(list: *const pg_sys::List) -> &'a [pg_sys::ListCell] {
    // SAFETY: by the caller's promise; there are as many cells as the length says.
    unsafe { list.as_ref().map_or(&[], |list| std::slice::from_raw_parts(list.elements, list.length as usize)) }
}
