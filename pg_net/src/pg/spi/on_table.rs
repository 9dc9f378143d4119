//! Acting on a table of the extension's, with the rights of whom that very table belongs to.
//!
//! Users attach code to the tables: triggers, rules, CHECKs, defaults. What runs inside of a statement runs as the role that runs the
//! statement. So each statement of ours touches one table only, and runs as its owner; where code is attached, with that role's
//! search path as well, which is why these statements name operators and functions in full. (`unnest` of several arrays is the
//! parser's own, whatever the path, and must not be qualified.)

use std::cell::RefCell;
use std::ffi::CStr;

use pgrx::{PgSqlErrorCode, pg_sys};

use super::search_path::SearchPath;
use super::transaction::note_user_code;
use crate::pg::SqlError;
use crate::pg::catalog::role::{self, ActAs};
use crate::pg::catalog::{invalidation, relation};
use crate::pg::storage::table::Table;
use crate::pg::types::list::cells;

/// While it lives, statements run as the table's owner. Holds the lock that it was opened with to the end of the transaction.
pub(crate) struct OnTable {
    // Before the role, so that the path goes first.
    _path: Option<SearchPath>,
    _owner: ActAs,
    has_code: bool,
}

impl OnTable {
    /// To read or write rows of a table in the schema `net`. `None` if it is not there.
    pub(crate) fn named(name: &CStr) -> Option<Self> {
        relation::relation_in_net(name).and_then(Self::open)
    }

    /// The same for a table that must be there.
    pub(crate) fn needed(name: &CStr) -> Self {
        Self::named(name).unwrap_or_else(|| {
            let message = format!("relation \"net.{}\" does not exist", name.to_string_lossy());
            SqlError::new(PgSqlErrorCode::ERRCODE_UNDEFINED_TABLE, message).raise()
        })
    }

    /// `None` if it is gone, or is no table.
    pub(crate) fn open(table: pg_sys::Oid) -> Option<Self> {
        Table::open(table).filter(Table::is_table).map(|table| Self::of(&table))
    }

    /// For a table that is open.
    pub(crate) fn of(table: &Table) -> Self {
        let has_code = has_code(table);
        if has_code {
            note_user_code();
        }
        let owner = table.owner();
        Self { _owner: ActAs::owner(owner), _path: has_code.then(|| SearchPath::of(owner)), has_code }
    }

    /// Whether statements on the table may run code that is not ours.
    pub(crate) fn has_code(&self) -> bool {
        self.has_code
    }

    /// Runs what constraints of other tables have put off to the commit, while it is clear with whose rights: after a statement that may
    /// have run code of users.
    pub(crate) fn run_deferred_constraints(&self) {
        if self.has_code && role::is_worker() {
            // SAFETY: the statement SET CONSTRAINTS ALL IMMEDIATE, within a transaction; zeros are its empty list.
            unsafe {
                let mut all: pg_sys::ConstraintsSetStmt = std::mem::zeroed();
                all.type_ = pg_sys::NodeTag::T_ConstraintsSetStmt;
                pg_sys::AfterTriggerSetState(&mut all);
            }
        }
    }
}

thread_local! {
    /// What was found of tables: with the count of changes before.
    static KNOWN: RefCell<(u64, Vec<(pg_sys::Oid, bool)>)> = const { RefCell::new((0, Vec::new())) };
}

fn has_code(table: &Table) -> bool {
    let changes = invalidation::changed_places();
    let known = KNOWN.with_borrow_mut(|(at, known)| {
        if *at != changes {
            *at = changes;
            known.clear();
        }
        known.iter().find(|&&(oid, _)| oid == table.oid()).map(|&(_, has_code)| has_code)
    });
    known.unwrap_or_else(|| {
        let has_code = table.has_code() || indexes_have_code(table);
        KNOWN.with_borrow_mut(|(_, known)| known.push((table.oid(), has_code)));
        has_code
    })
}

/// Whether entries in an index of the table compute something, other than in our own.
fn indexes_have_code(table: &Table) -> bool {
    // SAFETY: the relation is open; the list is a copy, of oids, or null for none. A row of pg_index is read before it is released.
    unsafe {
        let ours = relation::relation_in_net(c"http_request_queue_due_idx");
        let list = pg_sys::RelationGetIndexList(table.relation());
        cells(list).iter().map(|index| index.oid_value).filter(|&index| Some(index) != ours).any(|index| {
            let tuple = pg_sys::SearchSysCache1(pg_sys::SysCacheIdentifier::INDEXRELID as i32, index.into());
            if tuple.is_null() {
                return false;
            }
            let is_there = |column: u32| !pg_sys::heap_attisnull(tuple, column as i32, std::ptr::null_mut());
            let computes = is_there(pg_sys::Anum_pg_index_indexprs) || is_there(pg_sys::Anum_pg_index_indpred);
            pg_sys::ReleaseSysCache(tuple);
            computes
        })
    }
}
