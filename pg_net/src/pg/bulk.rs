//! Rows into a table below the executor, as COPY does it: many at once, or one.

use std::marker::PhantomData;

use pgrx::pg_sys;

use super::index_entries::IndexEntries;
use super::plan::Session;
use super::table::Table;

/// A table that is open for rows of `N` columns. What it holds is let go of by [`insert`](Self::insert), or by the abort of
/// the transaction.
pub(crate) struct Bulk<'s, const N: usize> {
    table: Table,
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
        let table = Table::open(table)?;
        let only_stores = table.only_stores(&types, |place| given.contains(&place), None);
        only_stores.then(|| Self { table, rows: Vec::with_capacity(rows), session: PhantomData })
    }

    /// Adds a row. Its values must be of the types that the table was opened with; they are copied.
    pub(crate) fn push(&mut self, row: [Option<pg_sys::Datum>; N]) {
        // SAFETY: as many values as the table has columns, of their types, checked when it was opened. The slot lives in the
        // session's memory.
        self.rows.push(unsafe { stored_slot(&self.table, row) });
    }

    /// Stores the rows, with their entries in the table's indexes.
    pub(crate) fn insert(mut self) {
        // SAFETY: the order of COPY. Slots and relation are alive; all are let go of at the end.
        unsafe {
            let mut indexes = IndexEntries::open(&self.table);
            let placement = pg_sys::GetBulkInsertState();
            let command = pg_sys::GetCurrentCommandId(true);
            pg_sys::heap_multi_insert(
                self.table.relation(),
                self.rows.as_mut_ptr(),
                self.rows.len() as i32,
                command,
                0,
                placement,
            );
            pg_sys::FreeBulkInsertState(placement);
            for &row in &self.rows {
                indexes.enter(row);
            }
            indexes.close();
            for &row in &self.rows {
                pg_sys::ExecDropSingleTupleTableSlot(row);
            }
            drop(self.table);
            pg_sys::CommandCounterIncrement();
        }
    }
}

/// A row as the table stores it, in a slot that owns it, both in the current memory context.
///
/// # Safety
///
/// The table must have `N` columns, of the types that the values have.
unsafe fn stored_slot<const N: usize>(table: &Table, row: [Option<pg_sys::Datum>; N]) -> *mut pg_sys::TupleTableSlot {
    let mut values = row.map(|value| value.unwrap_or(pg_sys::Datum::null()));
    let mut nulls = row.map(|value| value.is_none());
    let columns = table.description();
    // SAFETY: by the caller's promise; the tuple is a copy of the values.
    unsafe {
        let tuple = pg_sys::heap_form_tuple(columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        let slot = pg_sys::MakeSingleTupleTableSlot(columns, &raw const pg_sys::TTSOpsHeapTuple);
        pg_sys::ExecStoreHeapTuple(tuple, slot, true)
    }
}

/// Stores one row, whose values must be of these types, with its entries in the table's indexes. False, and nothing is done, where
/// an INSERT would do more than store it, or the columns are others; a trigger that calls the function `trigger` does nothing.
pub(crate) fn insert_one<const N: usize>(
    table: &Table,
    types: [pg_sys::Oid; N],
    row: [Option<pg_sys::Datum>; N],
    trigger: Option<pg_sys::Oid>,
) -> bool {
    if !table.only_stores(&types, |place| row[place].is_some(), trigger) {
        return false;
    }
    // SAFETY: the table has just these columns. The order of COPY; all is let go of at the end.
    unsafe {
        let row = stored_slot(table, row);
        pg_sys::simple_table_tuple_insert(table.relation(), row);
        let mut indexes = IndexEntries::open(table);
        indexes.enter(row);
        indexes.close();
        pg_sys::ExecDropSingleTupleTableSlot(row);
        pg_sys::CommandCounterIncrement();
    }
    true
}
