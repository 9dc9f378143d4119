//! Who acts.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pgrx::pg_sys;

/// Whether this process is a worker of ours, and not a user's session.
static IS_WORKER: AtomicBool = AtomicBool::new(false);

/// This process is a worker of ours.
pub(crate) fn set_worker() {
    IS_WORKER.store(true, Relaxed);
}

pub(crate) fn is_worker() -> bool {
    IS_WORKER.load(Relaxed)
}

/// Whether a role is a superuser. One that is gone is none.
pub(crate) fn is_superuser(role: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up within a transaction.
    unsafe { pg_sys::superuser_arg(role) }
}

/// Whether the current role owns a table, by itself, by a membership, or as a superuser.
pub(crate) fn owns(table: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups within a transaction.
    unsafe {
        let user = pg_sys::GetUserId();
        #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15"))]
        return pg_sys::pg_class_ownercheck(table, user);
        #[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15")))]
        return pg_sys::object_ownercheck(pg_sys::RelationRelationId, table, user);
    }
}

/// The security context in which the code of a table's owner runs, where it is `outer` around it.
///
/// In a session it is that of a SECURITY DEFINER function. In a worker there is no other role that a superuser's code could
/// switch back to, and the context is that of a session of the owner's.
pub(crate) fn context_of_owner(owner: pg_sys::Oid, outer: i32) -> i32 {
    let local = pg_sys::SECURITY_LOCAL_USERID_CHANGE as i32;
    match (is_worker(), is_worker() && is_superuser(owner)) {
        (true, true) => 0,
        (true, false) => local,
        (false, _) => outer | local,
    }
}

/// The role that statements run as now.
pub(crate) fn current() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetUserId() }
}

/// The role that this session is one of.
pub(crate) fn of_session() -> pg_sys::Oid {
    // SAFETY: reads a variable of this process.
    unsafe { pg_sys::GetSessionUserId() }
}

/// Whether the current role has the rights of another.
pub(crate) fn is_member(of: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups within a transaction; a role that is gone has no members.
    unsafe { pg_sys::has_privs_of_role(pg_sys::GetUserId(), of) }
}

/// Whether a role has the rights of another, as `pg_has_role(…, 'usage')` has it.
pub(crate) fn is_member_of(role: pg_sys::Oid, of: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups within a transaction; a role that is gone has no members.
    unsafe { pg_sys::has_privs_of_role(role, of) }
}

/// Whether the current role may read all data. Postgres 14 brought the role for it.
pub(crate) fn reads_all_data() -> bool {
    // SAFETY: a catalog look-up within a transaction; a missing role gives an invalid oid.
    let reader = unsafe { pg_sys::get_role_oid(c"pg_read_all_data".as_ptr(), true) };
    reader != pg_sys::InvalidOid && is_member(reader)
}

/// Whether the current role maintains the whole database: it owns it, or is a member of the role that Postgres 17 brought for that.
#[cfg(any(feature = "pg17", feature = "pg18"))]
pub(crate) fn maintains_all() -> bool {
    // SAFETY: catalog look-ups within a transaction.
    let owns =
        unsafe { pg_sys::object_ownercheck(pg_sys::DatabaseRelationId, pg_sys::MyDatabaseId, pg_sys::GetUserId()) };
    owns || is_member(pg_sys::ROLE_PG_MAINTAIN.into())
}

/// Whether a function runs as its owner, not as its caller.
pub(crate) fn is_definers(function: pg_sys::Oid) -> bool {
    // SAFETY: the row of pg_proc stays valid until it is released, and is read only before.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::PROCOID as i32, function.into());
        if tuple.is_null() {
            return false;
        }
        let definers = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>()).prosecdef;
        pg_sys::ReleaseSysCache(tuple);
        definers
    }
}

/// Whether a role has the rights of another: it is that one, or a member that inherits. A superuser counts
/// as a member only of roles granted explicitly.
pub(crate) fn has_rights_of(role: pg_sys::Oid, of: pg_sys::Oid) -> bool {
    // SAFETY: catalog look-ups within a transaction.
    unsafe {
        if pg_sys::superuser_arg(role) {
            pg_sys::is_member_of_role_nosuper(role, of)
        } else {
            pg_sys::has_privs_of_role(role, of)
        }
    }
}

/// Acts with another role's rights until dropped, in a context where code of others cannot switch back.
pub(crate) struct ActAs {
    role: pg_sys::Oid,
    context: i32,
}

impl ActAs {
    /// `also` are further `SECURITY_…` flags for the context.
    pub(crate) fn new(role: pg_sys::Oid, also: u32) -> Self {
        Self::within(role, |outer| outer | (pg_sys::SECURITY_LOCAL_USERID_CHANGE | also) as i32)
    }

    /// As the owner of a table, for statements that may run code which is attached to it.
    pub(crate) fn owner(owner: pg_sys::Oid) -> Self {
        Self::within(owner, |outer| context_of_owner(owner, outer))
    }

    fn within(role: pg_sys::Oid, context: impl FnOnce(i32) -> i32) -> Self {
        let mut before = Self { role: pg_sys::InvalidOid, context: 0 };
        // SAFETY: reads and sets variables of this process; `Drop`, or an abort of the transaction, sets them back.
        unsafe {
            pg_sys::GetUserIdAndSecContext(&mut before.role, &mut before.context);
            pg_sys::SetUserIdAndSecContext(role, context(before.context));
        }
        before
    }
}

impl Drop for ActAs {
    fn drop(&mut self) {
        // SAFETY: sets back what `new` read.
        unsafe { pg_sys::SetUserIdAndSecContext(self.role, self.context) };
    }
}
