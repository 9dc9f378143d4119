//! The server's databases, by the shared catalogs. Everything here works in a process that is connected to none, too.

use std::ffi::{CStr, CString};

use pgrx::pg_sys;

/// A database that may have use for a worker.
#[derive(Clone, Debug)]
pub(crate) struct Database {
    pub(crate) oid: pg_sys::Oid,
    name: String,
    allows_connections: bool,
    is_template: bool,
}

/// What comes of a look whether a worker can connect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Look {
    /// It can, as this role; an invalid oid is the bootstrap superuser.
    Clear(pg_sys::Oid),
    /// There is no such database.
    NoDatabase,
    /// The role cannot connect to any, for this reason.
    NoRole(String),
    /// It cannot connect to this one, for this reason.
    NoEntry(String),
}

impl Database {
    /// The databases that can be connected to and are no templates. Within a transaction.
    pub(crate) fn all() -> Vec<Self> {
        let mut all = scan();
        all.retain(|database| database.allows_connections && !database.is_template);
        all
    }

    /// The database of a name. Within a transaction.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        scan().into_iter().find(|database| database.name == name)
    }
}

/// The rows of pg_database. Within a transaction.
///
/// Not by an index: until a session has connected to a database since the server started, a process that is connected to none knows
/// no index, and trying ends it. In Postgres 13 the look into the cache of databases is such an attempt.
fn scan() -> Vec<Database> {
    let mut rows = Vec::new();
    // SAFETY: a scan of a shared catalog within a transaction; each row is read before the next is asked for, and its name ends with
    // a NUL.
    unsafe {
        let catalog = pg_sys::table_open(pg_sys::DatabaseRelationId, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
        let no_key = std::ptr::null_mut();
        let scan = pg_sys::systable_beginscan(catalog, pg_sys::InvalidOid, false, std::ptr::null_mut(), 0, no_key);
        loop {
            let tuple = pg_sys::systable_getnext(scan);
            if tuple.is_null() {
                break;
            }
            let row = &*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_database>();
            rows.push(Database {
                oid: row.oid,
                name: CStr::from_ptr(row.datname.data.as_ptr()).to_string_lossy().into_owned(),
                allows_connections: row.datallowconn,
                is_template: row.datistemplate,
            });
        }
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(catalog, pg_sys::AccessShareLock as pg_sys::LOCKMODE);
    }
    rows
}

/// Whether a worker can connect to a database as a role; `None` is the bootstrap superuser. Within a transaction.
pub(crate) fn look(database: pg_sys::Oid, role: Option<&str>) -> Look {
    let Some(found) = scan().into_iter().find(|found| found.oid == database) else { return Look::NoDatabase };
    if !found.allows_connections {
        return Look::NoEntry(format!("database \"{}\" allows no connections", found.name));
    }
    let Some(role_name) = role else { return Look::Clear(pg_sys::InvalidOid) };
    let role = role_oid(role_name);
    if role == pg_sys::InvalidOid {
        return Look::NoRole(format!("role \"{role_name}\" does not exist"));
    }
    if !may_log_in(role) {
        return Look::NoRole(format!("role \"{role_name}\" may not log in"));
    }
    if !may_connect(database, role) {
        let database = found.name;
        return Look::NoEntry(format!("role \"{role_name}\" lacks the privilege CONNECT on database \"{database}\""));
    }
    Look::Clear(role)
}

/// The oid of a role; `None` is the bootstrap superuser. Invalid if there is none with this name. Within a transaction.
pub(crate) fn role(name: Option<&str>) -> pg_sys::Oid {
    name.map_or(pg_sys::Oid::from(pg_sys::BOOTSTRAP_SUPERUSERID), role_oid)
}

/// The name of a database. Within a transaction.
pub(crate) fn name(database: pg_sys::Oid) -> String {
    // SAFETY: a catalog look-up within a transaction; the answer is a C string, or null where there is no such database.
    unsafe {
        let name = pg_sys::get_database_name(database);
        if name.is_null() { database.to_u32().to_string() } else { CStr::from_ptr(name).to_string_lossy().into_owned() }
    }
}

fn role_oid(name: &str) -> pg_sys::Oid {
    let Ok(name) = CString::new(name) else { return pg_sys::InvalidOid };
    // SAFETY: a catalog look-up within a transaction; what is missing gives an invalid oid.
    unsafe { pg_sys::get_role_oid(name.as_ptr(), true) }
}

fn may_log_in(role: pg_sys::Oid) -> bool {
    // SAFETY: the row of pg_authid stays valid until it is released, and is read only before.
    unsafe {
        let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::AUTHOID as i32, role.into());
        if tuple.is_null() {
            return false;
        }
        let may = (*pg_sys::GETSTRUCT(tuple).cast::<pg_sys::FormData_pg_authid>()).rolcanlogin;
        pg_sys::ReleaseSysCache(tuple);
        may
    }
}

fn may_connect(database: pg_sys::Oid, role: pg_sys::Oid) -> bool {
    let connect = pg_sys::ACL_CONNECT as pg_sys::AclMode;
    // SAFETY: catalog look-ups within a transaction.
    unsafe {
        #[cfg(any(feature = "pg13", feature = "pg14", feature = "pg15"))]
        let result = pg_sys::pg_database_aclcheck(database, role, connect);
        #[cfg(not(any(feature = "pg13", feature = "pg14", feature = "pg15")))]
        let result = pg_sys::object_aclcheck(pg_sys::DatabaseRelationId, database, role, connect);
        result == pg_sys::AclResult::ACLCHECK_OK
    }
}
