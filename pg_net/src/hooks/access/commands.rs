//! Commands that would stop all requests: strong locks, TRUNCATE, and what rewrites a table to maintain it.
//!
//! By Postgres' rules a role that may delete rows of a table may also lock it in any mode, and here every role may delete its
//! own rows.

#[cfg(not(feature = "pg13"))]
use pgrx::pg_guard;
use pgrx::{PgSqlErrorCode, pg_sys};

use super::open;
use super::tables::table;
use crate::pg::SqlError;
use crate::pg::catalog::{relation, role, scan};

/// The strongest lock that a role may take by LOCK: the one that its own DELETE takes.
const STRONGEST: i32 = pg_sys::RowExclusiveLock as i32;

/// Whether what the current role does to a table of ours may stop others.
fn is_allowed(relation: pg_sys::Oid) -> bool {
    table(relation).is_none() || role::owns(relation) || open::is_open()
}

/// Refuses a LOCK that would take a stronger lock on a table of ours, also by way of a view or a parent, than a role may take.
pub(crate) fn check_lock(relations: &[pg_sys::Oid], mode: i32) -> Result<(), SqlError> {
    if mode <= STRONGEST {
        return Ok(());
    }
    let mut met = Vec::new();
    let mut ahead = relations.to_vec();
    while let Some(relation) = ahead.pop() {
        if met.contains(&relation) {
            continue;
        }
        met.push(relation);
        if !is_allowed(relation) {
            return Err(refusal("lock", relation, " in a mode stronger than ROW EXCLUSIVE", DELETE));
        }
        if relation::is_view(relation) {
            ahead.extend(scan::read_by_view(relation));
        }
        ahead.extend(scan::children(relation));
    }
    Ok(())
}

/// Refuses a TRUNCATE of a table of ours.
pub(crate) fn check_truncate(relations: &[pg_sys::Oid]) -> Result<(), SqlError> {
    match relations.iter().find(|&&relation| !is_allowed(relation)) {
        Some(&relation) => Err(refusal("truncate", relation, "", DELETE)),
        None => Ok(()),
    }
}

/// Refuses VACUUM FULL, CLUSTER or REINDEX of a table of ours to a role that no more than a grant on the table lets do so. Whom
/// nothing does is told so by Postgres.
#[cfg(any(feature = "pg17", feature = "pg18"))]
pub(crate) fn check_maintenance(relations: &[pg_sys::Oid]) -> Result<(), SqlError> {
    let refused =
        |&&relation: &&pg_sys::Oid| !is_allowed(relation) && relation::may_maintain(relation) && !role::maintains_all();
    match relations.iter().find(refused) {
        Some(&relation) => Err(refusal("maintain", relation, " in a way that stops others", MAINTENANCE)),
        None => Ok(()),
    }
}

const DELETE: &str = "DELETE removes a role's own rows.";
#[cfg(any(feature = "pg17", feature = "pg18"))]
const MAINTENANCE: &str =
    "VACUUM without FULL, ANALYZE and REINDEX CONCURRENTLY are allowed. Members of pg_maintain may run all of it.";

fn refusal(action: &str, relation: pg_sys::Oid, how: &str, instead: &str) -> SqlError {
    let name = relation::name(relation);
    SqlError::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("permission denied to {action} table net.{name}{how}"),
    )
    .hint(format!(
        "{instead} The owner of the extension can open the tables to a role: select net.restore_open_access('role')."
    ))
}

#[cfg(not(feature = "pg13"))]
static mut NEXT: pg_sys::object_access_hook_type = None;

/// Puts the hook in place: whichever way a TRUNCATE comes, it meets it. Postgres 13 has none for this.
pub(in crate::hooks::access) fn install() {
    #[cfg(not(feature = "pg13"))]
    // SAFETY: set in the postmaster, before any backend exists.
    unsafe {
        NEXT = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(accessed);
    }
}

#[cfg(not(feature = "pg13"))]
#[pg_guard]
unsafe extern "C-unwind" fn accessed(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: i32,
    argument: *mut std::ffi::c_void,
) {
    // SAFETY: passed on as it came, to a hook that was set as ours is.
    unsafe {
        if let Some(next) = NEXT {
            next(access, class, object, part, argument);
        }
    }
    if access == pg_sys::ObjectAccessType::OAT_TRUNCATE
        && class == pg_sys::RelationRelationId
        && let Err(refusal) = check_truncate(&[object])
    {
        refusal.raise();
    }
}
