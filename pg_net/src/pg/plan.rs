//! Statements that are planned once and kept (manual, "Server Programming Interface").

use std::cell::Cell;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr;

use pgrx::pg_sys;

/// A statement with its parameter types. Planned at its first use in a session, then kept; Postgres plans it anew when
/// something that it depends on changes.
pub(crate) struct Plan {
    sql: &'static CStr,
    kept: Cell<pg_sys::SPIPlanPtr>,
}

/// Whether a statement may write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Sees what the transaction's snapshot sees.
    Read,
    /// Takes a new snapshot, and sees what the transaction itself did before.
    Write,
}

impl Plan {
    pub(crate) const fn new(sql: &'static CStr) -> Self {
        Self { sql, kept: Cell::new(ptr::null_mut()) }
    }

    /// Forgets the kept plan: a type that a parameter is declared with is another one now.
    pub(crate) fn forget(&self) {
        let plan = self.kept.replace(ptr::null_mut());
        if !plan.is_null() {
            // SAFETY: the plan was kept by `prepared` and is used nowhere now: runs do not nest.
            unsafe { pg_sys::SPI_freeplan(plan) };
        }
    }

    fn prepared(&self, types: &[pg_sys::Oid]) -> pg_sys::SPIPlanPtr {
        if self.kept.get().is_null() {
            // SAFETY: a C string and as many types as the count says; both are copied. A failure raises or gives null.
            let plan = unsafe {
                let plan = pg_sys::SPI_prepare(self.sql.as_ptr(), types.len() as i32, types.as_ptr().cast_mut());
                assert!(!plan.is_null(), "SPI_prepare refused a statement of ours");
                pg_sys::SPI_keepplan(plan);
                plan
            };
            self.kept.set(plan);
        }
        self.kept.get()
    }
}

/// A connection to the SPI, closed when dropped. What a statement gives lives until then.
pub(crate) struct Session {
    not_sendable: PhantomData<*mut ()>,
}

impl Session {
    pub(crate) fn connect() -> Self {
        // SAFETY: within a transaction, which every caller has; `Drop` finishes it.
        unsafe { pg_sys::SPI_connect() };
        Self { not_sendable: PhantomData }
    }

    /// Runs a statement with arguments of the given types.
    pub(crate) fn run<const N: usize>(
        &self,
        plan: &Plan,
        access: Access,
        types: [pg_sys::Oid; N],
        arguments: [Option<pg_sys::Datum>; N],
    ) -> Rows<'_> {
        let plan = plan.prepared(&types);
        let mut values = arguments.map(|argument| argument.unwrap_or(pg_sys::Datum::from(0)));
        let nulls = arguments.map(|argument| if argument.is_some() { b' ' } else { b'n' });
        // SAFETY: the plan has N parameters of these types; a failure raises.
        unsafe {
            let result =
                pg_sys::SPI_execute_plan(plan, values.as_mut_ptr(), nulls.as_ptr().cast(), access == Access::Read, 0);
            assert!(result > 0, "the SPI refused a statement of ours: code {result}");
            Rows { table: pg_sys::SPI_tuptable, count: pg_sys::SPI_processed as usize, session: PhantomData }
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        // After an error the abort closes the connection.
        if !std::thread::panicking() {
            // SAFETY: connected by `connect`.
            unsafe { pg_sys::SPI_finish() };
        }
    }
}

/// The rows that a statement gave, or how many it touched.
pub(crate) struct Rows<'s> {
    table: *mut pg_sys::SPITupleTable,
    count: usize,
    session: PhantomData<&'s Session>,
}

impl<'s> Rows<'s> {
    pub(crate) fn count(&self) -> usize {
        self.count
    }

    /// A row, counted from 0, with `N` columns, which must be all of them.
    pub(crate) fn row<const N: usize>(&self, row: usize) -> Row<'s, N> {
        assert!(row < self.count && !self.table.is_null(), "no such row");
        let mut values = [pg_sys::Datum::null(); N];
        let mut nulls = [true; N];
        // SAFETY: the row is one of the table's, which lives until the session ends; there is room for its columns.
        unsafe {
            let columns = (*self.table).tupdesc;
            assert_eq!((*columns).natts as usize, N, "the statement has other columns than the code reads");
            let tuple = *(*self.table).vals.add(row);
            pg_sys::heap_deform_tuple(tuple, columns, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
        Row { values, nulls, session: PhantomData }
    }
}

/// The columns of one row, counted from 0.
pub(crate) struct Row<'s, const N: usize> {
    values: [pg_sys::Datum; N],
    nulls: [bool; N],
    session: PhantomData<&'s Session>,
}

impl<'s, const N: usize> Row<'s, N> {
    fn get(&self, column: usize) -> Option<pg_sys::Datum> {
        (!self.nulls[column]).then_some(self.values[column])
    }

    pub(crate) fn int8(&self, column: usize) -> Option<i64> {
        self.get(column).map(|datum| datum.value() as i64)
    }

    pub(crate) fn int4(&self, column: usize) -> Option<i32> {
        self.get(column).map(|datum| datum.value() as i32)
    }

    pub(crate) fn oid(&self, column: usize) -> Option<pg_sys::Oid> {
        self.get(column).map(|datum| pg_sys::Oid::from(datum.value() as u32))
    }

    /// The bytes of a text or bytea column.
    pub(crate) fn bytes(&self, column: usize) -> Option<&'s [u8]> {
        // SAFETY: the statement's column is a varlena; row and copy live in the session's memory.
        self.get(column).map(|datum| unsafe { super::text::bytes_of(datum) })
    }

    /// A jsonb column.
    pub(crate) fn jsonb(&self, column: usize) -> Option<super::jsonb::Jsonb<'s>> {
        // SAFETY: the statement's column is jsonb; row and copy live in the session's memory.
        self.get(column).map(|datum| unsafe { super::jsonb::Jsonb::from_datum(datum) })
    }
}
