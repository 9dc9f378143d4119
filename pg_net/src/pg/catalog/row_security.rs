//! Policies that stand in no catalog.

use std::ptr;

use pgrx::pg_sys;

use super::condition::Condition;

/// A list of policies, such as the planner asks its hooks for, with one more: it lets all roles reach the rows of which a
/// condition holds, and leave such behind.
pub(crate) fn with_policy(policies: *mut pg_sys::List, condition: Condition) -> *mut pg_sys::List {
    // SAFETY: a policy made whole, in the current memory context, which is the statement's. `policies` is a list of such, or null.
    unsafe {
        let policy = pg_sys::palloc0(size_of::<pg_sys::RowSecurityPolicy>()).cast::<pg_sys::RowSecurityPolicy>();
        (*policy).policy_name = pg_sys::pstrdup(c"pg_net".as_ptr());
        (*policy).polcmd = b'*' as std::ffi::c_char;
        (*policy).roles = all_roles();
        (*policy).permissive = true;
        (*policy).qual = condition.expression();
        (*policy).with_check_qual = ptr::null_mut();
        pg_sys::lappend(policies, policy.cast())
    }
}

/// The array of roles that stands for PUBLIC.
fn all_roles() -> *mut pg_sys::ArrayType {
    let mut public = pg_sys::Datum::from(pg_sys::InvalidOid);
    // SAFETY: an array of one oid, which is passed by value and takes four bytes.
    unsafe {
        pg_sys::construct_array(&raw mut public, 1, pg_sys::OIDOID, 4, true, pg_sys::TYPALIGN_INT as std::ffi::c_char)
    }
}
