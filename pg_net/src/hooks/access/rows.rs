//! Which rows a role reaches: what policies would say, said by a hook (`row_security_policy_hook_permissive`).
//!
//! The tables have row security enabled and no policy. The conditions are looked at when a row is met, so a kept plan serves
//! whichever role runs it.

use std::ptr;

use pgrx::pg_sys::CmdType::{self, CMD_DELETE, CMD_INSERT, CMD_SELECT, CMD_UPDATE};
use pgrx::{pg_guard, pg_sys};

use super::open;
use super::tables::{Table, table};
use crate::pg::catalog::condition::{Condition, OidColumn};
use crate::pg::catalog::row_security;

static mut NEXT: pg_sys::row_security_policy_hook_type = None;

/// Puts the hook in place.
pub(in crate::hooks::access) fn install() {
    // SAFETY: set in the postmaster, before any backend exists.
    unsafe {
        NEXT = pg_sys::row_security_policy_hook_permissive;
        pg_sys::row_security_policy_hook_permissive = Some(policies);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn policies(command: CmdType::Type, relation: pg_sys::Relation) -> *mut pg_sys::List {
    // SAFETY: Postgres passes an open relation; the next hook was set as ours is.
    let (relation, others) = unsafe {
        let others = NEXT.map_or(ptr::null_mut(), |next| next(command, relation));
        ((*relation).rd_id, others)
    };
    let Some(table) = table(relation) else { return others };
    let reached = reached(table, command).iter().filter_map(|rows| condition(*rows, relation));
    match Condition::any_of(reached) {
        Some(condition) => row_security::with_policy(others, condition),
        None => others,
    }
}

/// Rows of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rows {
    /// Asked for by the role, or by one whose rights it has.
    Own,
    /// Made by hand, or before the update from the C version: as under that version, those of all.
    Unowned,
    /// All, for members of `pg_read_all_data`.
    AllForReaders,
    /// All, for roles that the tables were opened to.
    AllForOpened,
}

/// What a command reaches, for a role that has the right to it and is not exempt from row security.
fn reached(table: Table, command: CmdType::Type) -> &'static [Rows] {
    use Rows::{AllForOpened, AllForReaders, Own, Unowned};
    match (table, command) {
        (Table::Queue | Table::Responses, CMD_SELECT) => &[Own, Unowned, AllForReaders, AllForOpened],
        (Table::Queue | Table::Responses, CMD_DELETE) | (Table::Responses, CMD_UPDATE) => &[Own, AllForOpened],
        (Table::Queue, CMD_INSERT | CMD_UPDATE) | (Table::Responses, CMD_INSERT) => &[AllForOpened],
        (Table::DeadLetter, CMD_SELECT) => &[Own, Unowned, AllForReaders],
        (Table::DeadLetter, CMD_DELETE) => &[Own],
        (Table::Private, CMD_SELECT) => &[AllForReaders],
        _ => &[],
    }
}

fn condition(rows: Rows, relation: pg_sys::Oid) -> Option<Condition> {
    let asked_by = || OidColumn::of(relation, c"requested_by");
    match rows {
        Rows::Own => asked_by().map(Condition::has_role_in),
        Rows::Unowned => asked_by().map(Condition::is_null),
        #[cfg(not(feature = "pg13"))]
        Rows::AllForReaders => Some(Condition::has_rights_of(pg_sys::ROLE_PG_READ_ALL_DATA.into())),
        // Postgres 14 brought the role.
        #[cfg(feature = "pg13")]
        Rows::AllForReaders => None,
        Rows::AllForOpened => Some(Condition::setting_is_on(open::SETTING)),
    }
}
