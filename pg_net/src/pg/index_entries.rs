//! Entries in a table's indexes for rows that are stored below the executor.

use std::ptr;

use pgrx::pg_sys;

use super::table::Table;

/// A table's indexes, open for entries. Let go of by [`close`](Self::close), or by the abort of the transaction.
pub(super) struct IndexEntries {
    state: *mut pg_sys::EState,
    target: *mut pg_sys::ResultRelInfo,
}

impl IndexEntries {
    pub(super) fn open(table: &Table) -> Self {
        // SAFETY: the order of COPY; the relation stays open while its indexes are, by the order in which callers let go.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let target = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(target, table.relation(), 1, ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(target, false);
            Self { state, target }
        }
    }

    /// Makes the entries of a row.
    ///
    /// # Safety
    ///
    /// `row` must be stored in the table.
    pub(super) unsafe fn enter(&mut self, row: *mut pg_sys::TupleTableSlot) {
        let Self { state, target } = *self;
        // SAFETY: by the caller's promise; the indexes are open. The context for one tuple is emptied after each, as the
        // executor does.
        unsafe {
            if (*target).ri_NumIndices == 0 {
                return;
            }
            #[cfg(feature = "pg13")]
            {
                (*state).es_result_relation_info = target;
                pg_sys::ExecInsertIndexTuples(row, state, false, ptr::null_mut(), ptr::null_mut());
            }
            #[cfg(any(feature = "pg14", feature = "pg15"))]
            pg_sys::ExecInsertIndexTuples(target, row, state, false, false, ptr::null_mut(), ptr::null_mut());
            #[cfg(any(feature = "pg16", feature = "pg17", feature = "pg18"))]
            pg_sys::ExecInsertIndexTuples(target, row, state, false, false, ptr::null_mut(), ptr::null_mut(), false);
            let context = (*state).es_per_tuple_exprcontext;
            if !context.is_null() {
                pg_sys::MemoryContextReset((*context).ecxt_per_tuple_memory);
            }
        }
    }

    pub(super) fn close(self) {
        // SAFETY: made by `open`.
        unsafe {
            pg_sys::ExecCloseIndices(self.target);
            pg_sys::pfree(self.target.cast());
            pg_sys::FreeExecutorState(self.state);
        }
    }
}
