//! Only the owner makes triggers and rules on the extension's tables, whatever was granted.
//!
//! The privilege TRIGGER is part of a blanket `GRANT ALL`, and REFERENCES makes triggers as well, by which a foreign key keeps rows from
//! being deleted. So what Postgres has made is looked at, by whatever command it came, and refused.

use std::ffi::{c_int, c_void};

use pgrx::{PgSqlErrorCode, pg_guard, pg_sys};

use crate::pg::SqlError;
use crate::pg::catalog::{own_tables, relation, role};

/// The catalogs of triggers and rules, each with its index on the oid and the place of the table's oid. Not all of them are among the
/// bindings.
const TRIGGERS: Catalog =
    Catalog { oid: pg_sys::Oid::from_u32(2620), index: pg_sys::Oid::from_u32(2702), table: 2, what: "trigger" };
const RULES: Catalog =
    Catalog { oid: pg_sys::Oid::from_u32(2618), index: pg_sys::Oid::from_u32(2692), table: 3, what: "rule" };

#[derive(Clone, Copy)]
struct Catalog {
    oid: pg_sys::Oid,
    index: pg_sys::Oid,
    table: c_int,
    what: &'static str,
}

static mut NEXT: pg_sys::object_access_hook_type = None;

pub(super) fn install() {
    // SAFETY: set in the postmaster, before any backend exists.
    unsafe {
        NEXT = pg_sys::object_access_hook;
        pg_sys::object_access_hook = Some(accessed);
    }
}

/// The hook. It comes for each function that is called, and more. Passed on from a frame that owns nothing, without a guard: an error of
/// the next hook jumps over it and stays what it was.
unsafe extern "C-unwind" fn accessed(
    access: pg_sys::ObjectAccessType::Type,
    class: pg_sys::Oid,
    object: pg_sys::Oid,
    part: c_int,
    argument: *mut c_void,
) {
    // SAFETY: a hook that was set as ours is, with what ours was given.
    unsafe {
        if let Some(next) = NEXT {
            next(access, class, object, part, argument);
        }
        if is_change(access) && (class == TRIGGERS.oid || class == RULES.oid) {
            check(class, object);
        }
    }
}

fn is_change(access: pg_sys::ObjectAccessType::Type) -> bool {
    use pg_sys::ObjectAccessType::*;
    matches!(access, OAT_POST_CREATE | OAT_POST_ALTER)
}

#[pg_guard]
unsafe extern "C-unwind" fn check(class: pg_sys::Oid, object: pg_sys::Oid) {
    let catalog = if class == TRIGGERS.oid { TRIGGERS } else { RULES };
    let Some(table) = table_of(catalog, object).filter(|&table| own_tables::contain(table)) else { return };
    if role::owns(table) {
        return;
    }
    let what = catalog.what;
    let table = relation::name(table);
    SqlError::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("must be owner of table net.{table} to attach a {what} to it"),
    )
    .hint("What is attached to a table of pg_net's runs with the rights of the table's owner. Have that role make it.")
    .raise();
}

/// The table that a trigger or rule is on. What this command has just made is seen only by itself.
fn table_of(catalog: Catalog, object: pg_sys::Oid) -> Option<pg_sys::Oid> {
    let lock = pg_sys::AccessShareLock as pg_sys::LOCKMODE;
    // SAFETY: a scan of a catalog by its index on the oid, its first column, within a transaction; the row is read before the scan ends.
    unsafe {
        let relation = pg_sys::table_open(catalog.oid, lock);
        let mut key: pg_sys::ScanKeyData = std::mem::zeroed();
        let (equal, by) = (pg_sys::BTEqualStrategyNumber as pg_sys::StrategyNumber, pg_sys::F_OIDEQ);
        pg_sys::ScanKeyInit(&mut key, 1, equal, pg_sys::Oid::from_u32(by), object.into());
        let own = &raw mut pg_sys::SnapshotSelfData;
        let scan = pg_sys::systable_beginscan(relation, catalog.index, true, own, 1, &mut key);
        let row = pg_sys::systable_getnext(scan);
        let mut is_null = true;
        let table = if row.is_null() {
            pg_sys::Datum::null()
        } else {
            pg_sys::SPI_getbinval(row, (*relation).rd_att, catalog.table, &mut is_null)
        };
        pg_sys::systable_endscan(scan);
        pg_sys::table_close(relation, lock);
        (!is_null).then(|| pg_sys::Oid::from(table.value() as u32))
    }
}
