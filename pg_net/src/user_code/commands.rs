//! COPY and TRUNCATE fire triggers without a statement that we could see start: as the role that runs the command, with its search path.
//! Where that would give code more than is its due, the command is refused.

use pgrx::{PgSqlErrorCode, pg_sys};

use super::choosing::is_strangers;
use crate::pg::SqlError;
use crate::pg::catalog::{own_tables, relation, role};
use crate::pg::storage::table::{Table, Trigger};

/// Raises where a COPY into a table of ours would fire a trigger with rights that its code must not have.
pub(crate) fn check_copy(table: pg_sys::Oid) {
    check(table, "COPY into", pg_sys::TRIGGER_TYPE_INSERT);
}

/// The same for a TRUNCATE.
pub(crate) fn check_truncate(tables: &[pg_sys::Oid]) {
    tables.iter().for_each(|&table| check(table, "TRUNCATE", pg_sys::TRIGGER_TYPE_TRUNCATE));
}

fn check(table: pg_sys::Oid, command: &str, event: u32) {
    if !own_tables::contain(table) {
        return;
    }
    Table::glance(table, |open| {
        let owner = open.owner();
        let runs_as_another = role::current() != owner && !role::is_superuser(owner);
        open.each_trigger(|trigger| {
            let fires = trigger.fires_at(event) && trigger.is_users();
            if fires && (runs_as_another || is_strangers(owner, trigger.function())) {
                refuse(table, trigger, command);
            }
        });
    });
}

fn refuse(table: pg_sys::Oid, trigger: Trigger, command: &str) -> ! {
    let trigger = trigger.name();
    let table = relation::name(table);
    SqlError::new(
        PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
        format!("cannot {command} net.{table}: its trigger \"{trigger}\" would run with the rights of another role"),
    )
    .hint("Have the table's owner run the command, use INSERT or DELETE, or disable the trigger.")
    .raise()
}
