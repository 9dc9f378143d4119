//! COPY and TRUNCATE fire triggers without a statement that we could see start: as whoever runs the command, with that role's search path.
//! Where that would give code more than is its due, the command is refused.

use std::ffi::CStr;

use pgrx::pg_sys::{self, NodeTag};
use pgrx::{PgSqlErrorCode, pg_guard};

use super::choosing::is_strangers;
use crate::pg::list::cells;
use crate::pg::table::{Table, is_users};
use crate::pg::{SqlError, own_tables, relation, role};

/// Whether a utility statement is one of these. Reads its tag and calls nothing.
///
/// # Safety
///
/// `node` must be a utility statement.
pub(crate) unsafe fn may_fire(node: *const pg_sys::Node) -> bool {
    // SAFETY: by the caller's promise; each arm reads the node as what its tag says it is.
    unsafe {
        match (*node).type_ {
            NodeTag::T_TruncateStmt => true,
            NodeTag::T_CopyStmt => {
                let copy = &*node.cast::<pg_sys::CopyStmt>();
                copy.is_from && !copy.relation.is_null()
            }
            _ => false,
        }
    }
}

/// Raises where the command would fire a trigger on a table of ours with rights that its code must not have.
#[pg_guard]
pub(crate) unsafe extern "C-unwind" fn check(node: *const pg_sys::Node) {
    // SAFETY: a utility statement of those above.
    unsafe {
        if (*node).type_ == NodeTag::T_CopyStmt {
            check_table((*node.cast::<pg_sys::CopyStmt>()).relation, "COPY into", pg_sys::TRIGGER_TYPE_INSERT);
            return;
        }
        for cell in cells((*node.cast::<pg_sys::TruncateStmt>()).relations) {
            check_table(cell.ptr_value.cast(), "TRUNCATE", pg_sys::TRIGGER_TYPE_TRUNCATE);
        }
    }
}

/// # Safety
///
/// The parser must have made the name.
unsafe fn check_table(name: *const pg_sys::RangeVar, command: &str, event: u32) {
    // SAFETY: a catalog look-up within the command's transaction; what is missing gives an invalid oid.
    let table = unsafe {
        let missing_ok = pg_sys::RVROption::RVR_MISSING_OK;
        let no_lock = pg_sys::NoLock as pg_sys::LOCKMODE;
        pg_sys::RangeVarGetRelidExtended(name, no_lock, missing_ok, None, std::ptr::null_mut())
    };
    if table == pg_sys::InvalidOid || !own_tables::contain(table) {
        return;
    }
    Table::glance(table, |open| {
        let owner = open.owner();
        let runs_as_another = role::current() != owner && !role::is_superuser(owner);
        open.each_trigger(|trigger| {
            let fires = trigger.tgtype as u32 & event != 0 && is_users(trigger);
            if fires && (runs_as_another || is_strangers(owner, trigger.tgfoid)) {
                refuse(table, trigger, command);
            }
        });
    });
}

fn refuse(table: pg_sys::Oid, trigger: &pg_sys::Trigger, command: &str) -> ! {
    // SAFETY: a trigger's name is a C string.
    let trigger = unsafe { CStr::from_ptr(trigger.tgname) }.to_string_lossy();
    let table = relation::name(table);
    SqlError::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("cannot {command} net.{table}: its trigger \"{trigger}\" would run with the rights of another role"),
    )
    .hint("Have the table's owner run the command, use INSERT or DELETE, or disable the trigger.")
    .raise()
}
