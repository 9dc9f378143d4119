//! Where the extension's objects are, by the catalog caches.

use std::ffi::CStr;

use super::own_tables;
use pgrx::pg_sys;

/// The extension's queue in this database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Queue {
    /// The table.
    pub(crate) relation: pg_sys::Oid,
    /// Who owns it: whose rights the extension acts with.
    pub(crate) owner: pg_sys::Oid,
}

impl Queue {
    /// Finds the queue; `None` where the extension is not installed.
    pub(crate) fn find() -> Option<Self> {
        let relation = relation_in_net(own_tables::QUEUE)?;
        Some(Self { relation, owner: owner_of(relation)? })
    }

    /// Whether the queue is the extension's, and not another table of the same name.
    pub(crate) fn belongs_to_extension(self) -> bool {
        is_extensions(self.relation)
    }

    /// Waits until no other transaction has the queue locked exclusively, and has the transaction see what is committed by then.
    ///
    /// The snapshot that a transaction begins with will not do: to one that is older than an `ALTER TABLE` which rewrites
    /// the table, the table is empty (manual, "Caveats" of concurrency control).
    pub(crate) fn wait_and_look(self) {
        // SAFETY: within a transaction, whose active snapshot is replaced by a newer one.
        unsafe {
            pg_sys::LockRelationOid(self.relation, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
            pg_sys::PopActiveSnapshot();
            pg_sys::PushActiveSnapshot(pg_sys::GetTransactionSnapshot());
        }
    }

    /// Whether the queue has the columns that this library's SQL gives it. That of the C version, which this library took
    /// the place of, has not until it is updated.
    pub(crate) fn is_updated(self) -> bool {
        // SAFETY: a catalog look-up within a transaction; a missing column gives an invalid number.
        unsafe { pg_sys::get_attnum(self.relation, c"row_key".as_ptr()) != 0 }
    }
}

fn schema() -> Option<pg_sys::Oid> {
    // SAFETY: a catalog look-up within a transaction; a missing schema gives an invalid oid.
    valid(unsafe { pg_sys::get_namespace_oid(c"net".as_ptr(), true) })
}

/// The oid of a relation in the schema `net`.
pub(crate) fn relation_in_net(name: &CStr) -> Option<pg_sys::Oid> {
    let schema = schema()?;
    // SAFETY: a catalog look-up within a transaction; a missing relation gives an invalid oid.
    valid(unsafe { pg_sys::get_relname_relid(name.as_ptr(), schema) })
}

/// The oid of the extension in this database.
pub(crate) fn extension() -> Option<pg_sys::Oid> {
    // SAFETY: a catalog look-up within a transaction; a missing extension gives an invalid oid.
    valid(unsafe { pg_sys::get_extension_oid(c"pg_net".as_ptr(), true) })
}

/// What those take who change which tables the extension's dump has. One at a time; kept to the end of the transaction.
const EXTENSION_LOCK: pg_sys::LOCKMODE = pg_sys::ShareUpdateExclusiveLock as pg_sys::LOCKMODE;

/// Locks the extension against others that do the same, until the transaction ends.
pub(crate) fn lock_extension() {
    if let Some(extension) = extension() {
        // SAFETY: within a transaction, which releases the lock.
        unsafe { pg_sys::LockDatabaseObject(pg_sys::ExtensionRelationId, extension, 0, EXTENSION_LOCK) };
    }
}

/// The same where that needs no waiting. Whether it did.
pub(crate) fn try_lock_extension() -> bool {
    extension().is_some_and(|extension| {
        // SAFETY: within a transaction, which releases the lock.
        unsafe { pg_sys::ConditionalLockDatabaseObject(pg_sys::ExtensionRelationId, extension, 0, EXTENSION_LOCK) }
    })
}

/// Whether a relation is the extension's.
pub(crate) fn is_extensions(relation: pg_sys::Oid) -> bool {
    is_member(pg_sys::RelationRelationId, relation)
}

/// Whether a function is the extension's.
pub(crate) fn is_function_of_extension(function: pg_sys::Oid) -> bool {
    is_member(pg_sys::ProcedureRelationId, function)
}

fn is_member(catalog: pg_sys::Oid, object: pg_sys::Oid) -> bool {
    extension().is_some_and(|extension| {
        // SAFETY: a catalog look-up within a transaction.
        unsafe { pg_sys::getExtensionOfObject(catalog, object) == extension }
    })
}

/// Whether a relation is a view.
pub(crate) fn is_view(relation: pg_sys::Oid) -> bool {
    // SAFETY: a catalog look-up within a transaction; a relation that is gone has no kind.
    unsafe { pg_sys::get_rel_relkind(relation) == pg_sys::RELKIND_VIEW as std::ffi::c_char }
}

/// The table of an index; `None` if the relation is no index.
#[cfg(any(feature = "pg17", feature = "pg18"))]
pub(crate) fn table_of_index(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: a catalog look-up within a transaction; what is no index gives an invalid oid.
    valid(unsafe { pg_sys::IndexGetRelation(relation, true) })
}

/// Whether the current role was granted the right to maintain a table, or owns it.
#[cfg(any(feature = "pg17", feature = "pg18"))]
pub(crate) fn may_maintain(relation: pg_sys::Oid) -> bool {
    let maintain = pg_sys::ACL_MAINTAIN as pg_sys::AclMode;
    // SAFETY: catalog look-ups within a transaction.
    let answer = unsafe { pg_sys::pg_class_aclcheck(relation, pg_sys::GetUserId(), maintain) };
    answer == pg_sys::AclResult::ACLCHECK_OK
}

/// A relation's name; empty where it is gone.
pub(crate) fn name(relation: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up within a transaction; the name is a copy in the current memory context, or null.
    unsafe {
        let name = pg_sys::get_rel_name(relation);
        if name.is_null() { String::new() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

/// Who owns a relation.
pub(crate) fn owner_of(relation: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: the row of pg_class stays valid until it is released, and is read only before.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::RELOID as i32, relation.into());
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_class>()).relowner;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}

/// Whether the current role may select from a relation.
pub(crate) fn may_select(relation: pg_sys::Oid) -> bool {
    let select = pg_sys::ACL_SELECT as pg_sys::AclMode;
    // SAFETY: catalog look-ups within a transaction.
    let answer = unsafe { pg_sys::pg_class_aclcheck(relation, pg_sys::GetUserId(), select) };
    answer == pg_sys::AclResult::ACLCHECK_OK
}

/// Who owns a function; `None` if it is gone.
pub(crate) fn owner_of_function(function: pg_sys::Oid) -> Option<pg_sys::Oid> {
    // SAFETY: the row of pg_proc stays valid until it is released, and is read only before.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::PROCOID as i32, function.into());
        if tuple.is_null() {
            return None;
        }
        let owner = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>()).proowner;
        pg_sys::ReleaseSysCache(tuple);
        Some(owner)
    }
}

/// A function's name with the types of its arguments.
pub(crate) fn function_name(function: pg_sys::Oid) -> String {
    // SAFETY: catalog look-ups within a transaction; the answer is a C string, a number for a function that is gone.
    unsafe { CStr::from_ptr(pg_sys::format_procedure(function)).to_string_lossy().into_owned() }
}

/// A role's name; its number where there is none any more.
pub(crate) fn role_name(role: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up within a transaction; the answer is a C string, or null for a role that is gone.
    unsafe {
        let name = pg_sys::GetUserNameFromId(role, true);
        if name.is_null() { role.to_u32().to_string() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

fn valid(oid: pg_sys::Oid) -> Option<pg_sys::Oid> {
    (oid != pg_sys::InvalidOid).then_some(oid)
}

unsafe extern "C-unwind" {
    /// Not among the bindings.
    fn nextval_internal(sequence: pg_sys::Oid, check_permissions: bool) -> i64;
}

/// The next value of a sequence, without a check of privileges: that of the row keys belongs to no table, and does not follow one
/// that gets another owner.
pub(crate) fn next_value(sequence: pg_sys::Oid) -> i64 {
    // SAFETY: takes a sequence's oid and raises if it is none, through the boundary that turns an error into a panic.
    unsafe { pg_sys::ffi::pg_guard_ffi_boundary(|| nextval_internal(sequence, false)) }
}

/// The oid of a type in the schema `net`.
pub(crate) fn type_in_net(name: &CStr) -> Option<pg_sys::Oid> {
    let schema = schema()?;
    // SAFETY: a catalog look-up within a transaction; a missing type gives an invalid oid.
    valid(unsafe {
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::TYPENAMENSP as i32,
            pg_sys::Anum_pg_type_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(name.as_ptr()),
            schema.into(),
            pg_sys::Datum::null(),
            pg_sys::Datum::null(),
        )
    })
}

/// The oid of a function without arguments in the schema `net`.
pub(crate) fn function_in_net(name: &CStr) -> Option<pg_sys::Oid> {
    let schema = schema()?;
    // SAFETY: a catalog look-up within a transaction; a missing function gives an invalid oid.
    valid(unsafe {
        let no_arguments = pg_sys::buildoidvector(std::ptr::null(), 0);
        pg_sys::GetSysCacheOid(
            pg_sys::SysCacheIdentifier::PROCNAMEARGSNSP as i32,
            pg_sys::Anum_pg_proc_oid as pg_sys::AttrNumber,
            pg_sys::Datum::from(name.as_ptr()),
            pg_sys::Datum::from(no_arguments),
            schema.into(),
            pg_sys::Datum::null(),
        )
    })
}

/// Whether a function is in C: then only a superuser can have made it what it is, also where another role owns it.
pub(crate) fn is_in_c(function: pg_sys::Oid) -> bool {
    /// `ClanguageId` of Postgres' pg_language.
    const C: u32 = 13;
    // SAFETY: the row of pg_proc stays valid until it is released, and is read only before.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::PROCOID as i32, function.into());
        if tuple.is_null() {
            return false;
        }
        let language = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_proc>()).prolang;
        pg_sys::ReleaseSysCache(tuple);
        language.to_u32() == C
    }
}

/// The label of a value of an enum type; empty for what is none.
pub(crate) fn enum_label(value: pg_sys::Oid) -> String {
    // SAFETY: the row of pg_enum stays valid until it is released, and is read only before.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::ENUMOID as i32, value.into());
        if tuple.is_null() {
            return String::new();
        }
        let label = &raw const (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_enum>()).enumlabel;
        let label = CStr::from_ptr((*label).data.as_ptr()).to_string_lossy().into_owned();
        pg_sys::ReleaseSysCache(tuple);
        label
    }
}
