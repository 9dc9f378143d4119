//! Rows into a table below the executor, as COPY does it: many at once, or one.

use std::marker::PhantomData;

use pgrx::pg_sys;

use super::index_entries::IndexEntries;
use super::table::{Passing, Table};
use crate::pg::spi::plan::{Place, Session};
use crate::pg::types::value::Value;

/// A table that is open for rows of `N` columns. What it holds is let go of by [`insert`](Self::insert), or by the abort of
/// the transaction.
pub(crate) struct Bulk<'s, const N: usize> {
    indexes: IndexEntries,
    table: Table,
    types: [pg_sys::Oid; N],
    rows: Vec<[Option<pg_sys::Datum>; N]>,
    session: PhantomData<&'s Session>,
}

impl<'s, const N: usize> Bulk<'s, N> {
    /// Opens a table whose columns have these types, for about so many rows, which will have values at the `given` places.
    /// `None` where an INSERT would do more than store the rows, but for what is passed by, or the columns are others.
    pub(crate) fn open(
        _session: &'s Session,
        table: pg_sys::Oid,
        types: [pg_sys::Oid; N],
        given: &[usize],
        rows: usize,
        passing: Passing,
    ) -> Option<Self> {
        let table = Table::open(table)?;
        if !table.only_stores(&types, |place| given.contains(&place), passing) {
            return None;
        }
        let indexes = IndexEntries::open(&table, |_| true)?;
        Some(Self { indexes, table, types, rows: Vec::with_capacity(rows), session: PhantomData })
    }

    /// Adds a row, of the types that the table was opened with. Its values must live until it is stored.
    pub(crate) fn push(&mut self, row: [Value; N]) {
        assert!(row.map(Value::of_type) == self.types, "a row has other types than its table");
        self.rows.push(row.map(Value::datum));
    }

    /// Stores the rows, with their entries in the table's indexes.
    pub(crate) fn insert(self) {
        let Self { indexes, table, rows, .. } = self;
        // SAFETY: the order of COPY. As many values as the table has columns, of their types, checked when it was opened. Slots
        // and relation are alive; all are let go of at the end.
        unsafe {
            let mut slots: Vec<_> = rows.iter().map(|row| slot(&table, row)).collect();
            let placement = pg_sys::GetBulkInsertState();
            let command = pg_sys::GetCurrentCommandId(true);
            pg_sys::heap_multi_insert(table.relation(), slots.as_mut_ptr(), slots.len() as i32, command, 0, placement);
            pg_sys::FreeBulkInsertState(placement);
            for (row, &slot) in rows.iter().zip(&slots) {
                indexes.enter(&table, &raw mut (*slot).tts_tid, row);
            }
            drop(indexes);
            for slot in slots {
                pg_sys::ExecDropSingleTupleTableSlot(slot);
            }
            drop(table);
            pg_sys::CommandCounterIncrement();
        }
    }
}

/// A row as the table stores it, in a slot that owns it, both in the current memory context.
///
/// # Safety
///
/// The table must have `N` columns, of the types that the values have.
unsafe fn slot<const N: usize>(table: &Table, row: &[Option<pg_sys::Datum>; N]) -> *mut pg_sys::TupleTableSlot {
    // SAFETY: by the caller's promise; the slot is one for such tuples.
    unsafe {
        let slot = pg_sys::MakeSingleTupleTableSlot(table.description(), &raw const pg_sys::TTSOpsHeapTuple);
        pg_sys::ExecStoreHeapTuple(tuple(table, row), slot, true)
    }
}

/// A row as the table stores it, in the current memory context.
///
/// # Safety
///
/// The table must have `N` columns, of the types that the values have.
unsafe fn tuple<const N: usize>(table: &Table, row: &[Option<pg_sys::Datum>; N]) -> pg_sys::HeapTuple {
    let mut values = row.map(|value| value.unwrap_or(pg_sys::Datum::null()));
    let mut nulls = row.map(|value| value.is_none());
    // SAFETY: by the caller's promise; the values are copied.
    unsafe { pg_sys::heap_form_tuple(table.description(), values.as_mut_ptr(), nulls.as_mut_ptr()) }
}

/// Stores one row, with its entries in the table's indexes. False, and nothing is done, where
/// an INSERT would do more than store it, or the columns are others; a trigger that calls the function `trigger` does nothing.
pub(crate) fn insert_one<const N: usize>(table: &Table, row: [Value; N], trigger: Option<pg_sys::Oid>) -> bool {
    let (types, row) = (row.map(Value::of_type), row.map(Value::datum));
    if !table.only_stores(&types, |place| row[place].is_some(), Passing::Trigger(trigger)) {
        return false;
    }
    let Some(indexes) = IndexEntries::open(table, |place| row[place].is_some()) else { return false };
    // SAFETY: the table has just these columns, and is a heap. The order of COPY; all is let go of at the end.
    unsafe {
        let tuple = tuple(table, &row);
        pg_sys::simple_heap_insert(table.relation(), tuple);
        indexes.enter(table, &raw mut (*tuple).t_self, &row);
        drop(indexes);
        pg_sys::heap_freetuple(tuple);
        pg_sys::CommandCounterIncrement();
    }
    true
}

/// Deletes a row of a table, with no trigger or rule hearing of it. Raises where this transaction does not hold the row locked.
pub(crate) fn delete_one(table: pg_sys::Oid, mut place: Place) {
    let Some(table) = Table::open(table).filter(Table::is_heap) else { return };
    // SAFETY: the table is open, and is a heap.
    unsafe {
        pg_sys::simple_heap_delete(table.relation(), place.pointer());
        pg_sys::CommandCounterIncrement();
    }
}
