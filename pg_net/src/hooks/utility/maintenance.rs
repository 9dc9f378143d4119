//! Commands that maintain tables and stop others meanwhile: VACUUM FULL, CLUSTER and REINDEX. From Postgres 17 on, whoever is
//! granted all rights on a table may run them.

use std::ffi::CStr;

use pgrx::pg_sys::{self, NodeTag, ReindexObjectType};

use super::relation;
use crate::pg::catalog::relation::table_of_index;
use crate::pg::types::list::cells;

/// Whether a command could be one of them. Reads the statement's tag and calls nothing.
///
/// # Safety
///
/// `node` must be a utility statement.
pub(super) unsafe fn may_be(node: *const pg_sys::Node) -> bool {
    // SAFETY: by the caller's promise; each arm reads the node as what its tag says it is.
    unsafe {
        match (*node).type_ {
            NodeTag::T_VacuumStmt => (*node.cast::<pg_sys::VacuumStmt>()).is_vacuumcmd,
            NodeTag::T_ClusterStmt => true,
            NodeTag::T_ReindexStmt => {
                // Of a schema or a database only its owner may, whatever is granted.
                let kind = (*node.cast::<pg_sys::ReindexStmt>()).kind;
                [ReindexObjectType::REINDEX_OBJECT_TABLE, ReindexObjectType::REINDEX_OBJECT_INDEX].contains(&kind)
            }
            _ => false,
        }
    }
}

/// The tables that such a command names; all that the database has, if it names none.
pub(super) enum Maintained {
    All,
    Tables(Vec<pg_sys::Oid>),
}

impl Maintained {
    /// What a command maintains; `None` if it stops nobody.
    ///
    /// # Safety
    ///
    /// `node` must be a statement as the parser makes it that [may be](may_be) one of them.
    pub(super) unsafe fn by(node: *const pg_sys::Node) -> Option<Self> {
        // SAFETY: by the caller's promise.
        unsafe {
            match (*node).type_ {
                NodeTag::T_VacuumStmt => Self::by_vacuum(&*node.cast()),
                NodeTag::T_ClusterStmt => {
                    let named = (*node.cast::<pg_sys::ClusterStmt>()).relation;
                    if named.is_null() {
                        Some(Self::All)
                    } else {
                        relation(named).map(|table| Self::Tables(vec![table]))
                    }
                }
                NodeTag::T_ReindexStmt => {
                    let reindex = &*node.cast::<pg_sys::ReindexStmt>();
                    let named = relation(reindex.relation).filter(|_| !is_on(reindex.params, c"concurrently"))?;
                    Some(Self::Tables(vec![table_of_index(named).unwrap_or(named)]))
                }
                _ => None,
            }
        }
    }

    /// # Safety
    ///
    /// The statement must come from the parser.
    unsafe fn by_vacuum(vacuum: &pg_sys::VacuumStmt) -> Option<Self> {
        // SAFETY: by the caller's promise: the list has VacuumRelations, each with a name.
        unsafe {
            if !is_on(vacuum.options, c"full") {
                return None;
            }
            if vacuum.rels.is_null() {
                return Some(Self::All);
            }
            let named =
                cells(vacuum.rels).iter().map(|cell| (*cell.ptr_value.cast::<pg_sys::VacuumRelation>()).relation);
            Some(Self::Tables(named.filter_map(|name| relation(name)).collect()))
        }
    }
}

/// Whether an option of a statement is on. Said without a value it is; of several, the last one counts.
///
/// # Safety
///
/// `options` must be null or a list of DefElems, as the parser makes it.
unsafe fn is_on(options: *const pg_sys::List, name: &CStr) -> bool {
    // SAFETY: by the caller's promise; the names are C strings.
    unsafe {
        cells(options)
            .iter()
            .map(|option| option.ptr_value.cast::<pg_sys::DefElem>())
            .rfind(|&option| CStr::from_ptr((*option).defname) == name)
            .is_some_and(|option| pg_sys::defGetBoolean(option))
    }
}
