//! Many rows into one table at once, below the executor, as COPY does it.
//!
//! Takes only tables where that comes to the same as an INSERT: no trigger, rule, constraint to check or column to compute.

use std::marker::PhantomData;
use std::ptr;

use pgrx::pg_sys;

use super::plan::Session;

/// A table that is open for rows of `N` columns. What it holds is let go of by [`insert`](Self::insert), or by the abort of
/// the transaction.
pub(crate) struct Bulk<'s, const N: usize> {
    table: pg_sys::Relation,
    rows: Vec<*mut pg_sys::TupleTableSlot>,
    session: PhantomData<&'s Session>,
}

impl<'s, const N: usize> Bulk<'s, N> {
    /// Opens a table whose columns have these types, for about so many rows, which will have values at the `given` places.
    /// `None` where an INSERT would do more than store the rows, or the columns are others.
    pub(crate) fn open(
        _session: &'s Session,
        table: pg_sys::Oid,
        types: [pg_sys::Oid; N],
        given: &[usize],
        rows: usize,
    ) -> Option<Self> {
        // SAFETY: within a transaction. Fields are read of a relation that is open; it is closed again, or kept with the lock
        // that an INSERT takes, until the rows are stored.
        unsafe {
            let table = pg_sys::table_open(table, pg_sys::RowExclusiveLock as i32);
            if !is_plain(table) || !has_columns(table, &types, given) {
                pg_sys::table_close(table, pg_sys::NoLock as i32);
                return None;
            }
            Some(Self { table, rows: Vec::with_capacity(rows), session: PhantomData })
        }
    }

    /// Adds a row. Its values must be of the types that the table was opened with; they are copied.
    pub(crate) fn push(&mut self, row: [Option<pg_sys::Datum>; N]) {
        let mut values = row.map(|value| value.unwrap_or(pg_sys::Datum::null()));
        let mut nulls = row.map(|value| value.is_none());
        // SAFETY: as many values as the table has columns, checked when it was opened. The slot lives in the session's memory
        // and owns the tuple.
        unsafe {
            let columns = (*self.table).rd_att;
            let tuple = pg_sys::heap_form_tuple(columns, values.as_mut_ptr(), nulls.as_mut_ptr());
            let slot = pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsHeapTuple);
            self.rows.push(pg_sys::ExecStoreHeapTuple(tuple, slot, true));
        }
    }

    /// Stores the rows, with their entries in the table's indexes.
    pub(crate) fn insert(mut self) {
        // SAFETY: the order of COPY. Slots, state and relation are alive; all are let go of at the end.
        unsafe {
            let state = pg_sys::CreateExecutorState();
            let target = pg_sys::palloc0(size_of::<pg_sys::ResultRelInfo>()).cast::<pg_sys::ResultRelInfo>();
            (*target).type_ = pg_sys::NodeTag::T_ResultRelInfo;
            pg_sys::InitResultRelInfo(target, self.table, 1, ptr::null_mut(), 0);
            pg_sys::ExecOpenIndices(target, false);
            let placement = pg_sys::GetBulkInsertState();
            let command = pg_sys::GetCurrentCommandId(true);
            pg_sys::heap_multi_insert(
                self.table,
                self.rows.as_mut_ptr(),
                self.rows.len() as i32,
                command,
                0,
                placement,
            );
            pg_sys::FreeBulkInsertState(placement);
            if (*target).ri_NumIndices > 0 {
                for &row in &self.rows {
                    insert_index_entries(target, row, state);
                }
            }
            pg_sys::ExecCloseIndices(target);
            for &row in &self.rows {
                pg_sys::ExecDropSingleTupleTableSlot(row);
            }
            pg_sys::FreeExecutorState(state);
            pg_sys::table_close(self.table, pg_sys::NoLock as i32);
            pg_sys::CommandCounterIncrement();
        }
    }
}

/// # Safety
///
/// `target` must be open with its indexes, `row` stored in it.
unsafe fn insert_index_entries(
    target: *mut pg_sys::ResultRelInfo,
    row: *mut pg_sys::TupleTableSlot,
    state: *mut pg_sys::EState,
) {
    // SAFETY: by the caller's promise. The context for one tuple is emptied after each, as the executor does.
    unsafe {
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

/// Whether an INSERT into the table only stores the rows.
///
/// # Safety
///
/// `table` must be open.
unsafe fn is_plain(table: pg_sys::Relation) -> bool {
    // SAFETY: by the caller's promise; what may be missing is looked at only where it is there.
    unsafe {
        let class = &*(*table).rd_rel;
        let constraints = (*(*table).rd_att).constr;
        class.relkind == pg_sys::RELKIND_RELATION as std::ffi::c_char
            && class.relam == pg_sys::HEAP_TABLE_AM_OID
            && !class.relispartition
            && (*table).trigdesc.is_null()
            && (*table).rd_rules.is_null()
            && (constraints.is_null() || ((*constraints).num_check == 0 && !(*constraints).has_generated_stored))
    }
}

/// Whether the table has exactly columns of these types, of which none but those at the `given` places must have a value.
///
/// # Safety
///
/// `table` must be open.
#[cfg(not(feature = "pg18"))]
unsafe fn has_columns(table: pg_sys::Relation, types: &[pg_sys::Oid], given: &[usize]) -> bool {
    // SAFETY: by the caller's promise; there are as many columns as `natts` says.
    unsafe {
        let columns = (*table).rd_att;
        (*columns).natts as usize == types.len()
            && types.iter().enumerate().all(|(place, &wanted)| {
                let column = &*(*columns).attrs.as_ptr().add(place);
                column.atttypid == wanted && !column.attisdropped && (!column.attnotnull || given.contains(&place))
            })
    }
}

/// Postgres 18 keeps what describes a column elsewhere: there it is always an INSERT.
#[cfg(feature = "pg18")]
unsafe fn has_columns(_table: pg_sys::Relation, _types: &[pg_sys::Oid], _given: &[usize]) -> bool {
    false
}
