//! Statements that are planned once and kept (manual, "Server Programming Interface").

use std::cell::{Cell, RefCell};
use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr;

use pgrx::{PgSqlErrorCode, pg_sys};

use crate::pg::SqlError;
use crate::pg::types::clock::Timestamp;
use crate::pg::types::composite::Composite;
use crate::pg::types::text;
use crate::pg::types::value::Value;

/// A statement with its parameter types. Planned at its first use in a session, whatever the arguments are, then kept;
/// Postgres plans it again when something that it depends on changes.
pub(crate) struct Plan {
    sql: &'static CStr,
    kept: Cell<pg_sys::SPIPlanPtr>,
    /// The types of the parameters that it was planned with.
    types: RefCell<Vec<pg_sys::Oid>>,
}

/// Whether a statement may write.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    /// Sees what the transaction's snapshot sees.
    Read,
    /// Takes a new snapshot, and sees what the transaction itself did before.
    Write,
    /// Like [`Write`](Self::Write), and sees what is committed now also where the transaction's snapshot is an old one.
    WriteLatest,
}

impl Plan {
    pub(crate) const fn new(sql: &'static CStr) -> Self {
        Self { sql, kept: Cell::new(ptr::null_mut()), types: RefCell::new(Vec::new()) }
    }

    /// Forgets the kept plan: a type that a parameter is declared with is another one now.
    pub(crate) fn forget(&self) {
        let plan = self.kept.replace(ptr::null_mut());
        if !plan.is_null() {
            // SAFETY: the plan was kept by `prepared` and is used nowhere now: runs do not nest.
            unsafe { pg_sys::SPI_freeplan(plan) };
        }
    }

    /// The plan for arguments of these types: another one where they are not those that it was planned with.
    fn prepared(&self, types: &[pg_sys::Oid]) -> pg_sys::SPIPlanPtr {
        if *self.types.borrow() != types {
            self.forget();
        }
        if self.kept.get().is_null() {
            // SAFETY: a C string and as many types as the count says; both are copied. A failure raises or gives null.
            let plan = unsafe {
                let plan = pg_sys::SPI_prepare_cursor(
                    self.sql.as_ptr(),
                    types.len() as i32,
                    types.as_ptr().cast_mut(),
                    pg_sys::CURSOR_OPT_GENERIC_PLAN as i32,
                );
                assert!(!plan.is_null(), "SPI_prepare_cursor refused a statement of ours");
                pg_sys::SPI_keepplan(plan);
                plan
            };
            self.kept.set(plan);
            self.types.replace(types.to_vec());
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

    /// Runs a statement with arguments.
    pub(crate) fn run<const N: usize>(&self, plan: &Plan, access: Access, arguments: [Value; N]) -> Rows<'_> {
        let prepared = plan.prepared(&arguments.map(Value::of_type));
        let mut values = arguments.map(|argument| argument.datum().unwrap_or(pg_sys::Datum::null()));
        let nulls = arguments.map(|argument| if argument.is_null() { b'n' } else { b' ' });
        // SAFETY: the plan has N parameters of these types; a failure raises.
        let (result, rows) = unsafe {
            let nulls = nulls.as_ptr().cast();
            let snapshot = if access == Access::WriteLatest { pg_sys::GetLatestSnapshot() } else { ptr::null_mut() };
            let result = pg_sys::SPI_execute_snapshot(
                prepared,
                values.as_mut_ptr(),
                nulls,
                snapshot,
                ptr::null_mut(),
                access == Access::Read,
                true,
                0,
            );
            let (table, count) = (pg_sys::SPI_tuptable, pg_sys::SPI_processed as usize);
            (result, Rows { table, count, session: PhantomData })
        };
        assert!(result > 0, "the SPI refused a statement of ours: code {result}");
        if result == pg_sys::SPI_OK_REWRITTEN as i32 {
            // A rule has made nothing of it; a plan for nothing would not hear of the rule's end.
            plan.forget();
        }
        rows
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
        let columns = unsafe {
            let columns = (*self.table).tupdesc;
            assert_eq!((*columns).natts as usize, N, "the statement has other columns than the code reads");
            let tuple = *(*self.table).vals.add(row);
            pg_sys::heap_deform_tuple(tuple, columns, values.as_mut_ptr(), nulls.as_mut_ptr());
            columns
        };
        Row { columns, values, nulls, session: PhantomData }
    }
}

/// The columns of one row, counted from 0.
///
/// The owner of a table may give its columns other types than they had when the statement was written, so each value's type
/// is looked at before the value is.
pub(crate) struct Row<'s, const N: usize> {
    columns: pg_sys::TupleDesc,
    values: [pg_sys::Datum; N],
    nulls: [bool; N],
    session: PhantomData<&'s Session>,
}

impl<'s, const N: usize> Row<'s, N> {
    /// A value of one of these types; any other raises.
    fn get(&self, column: usize, types: &[pg_sys::Oid]) -> Option<pg_sys::Datum> {
        // SAFETY: the description has `N` columns and lives as long as the row.
        let found = unsafe { type_of(self.columns, column) };
        if !types.contains(&found) {
            self.refuse(column, found, types[0]);
        }
        (!self.nulls[column]).then_some(self.values[column])
    }

    #[cold]
    fn refuse(&self, column: usize, found: pg_sys::Oid, wanted: pg_sys::Oid) -> ! {
        // SAFETY: the description has `N` columns; the answers are C strings in the current memory context.
        let [column, found, wanted] = unsafe {
            let name = pg_sys::SPI_fname(self.columns, column as i32 + 1);
            [name, pg_sys::format_type_be(found), pg_sys::format_type_be(wanted)]
                .map(|text| CStr::from_ptr(text).to_string_lossy().into_owned())
        };
        let message = format!("column \"{column}\" has type {found} where pg_net needs {wanted}");
        SqlError::new(PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message).raise()
    }

    /// A value of whatever type, to be handed on to another statement.
    pub(crate) fn any(&self, column: usize) -> Value {
        // SAFETY: the description has `N` columns and lives as long as the row; the value is of the column's type.
        unsafe { Value::new(type_of(self.columns, column), (!self.nulls[column]).then_some(self.values[column])) }
    }

    pub(crate) fn int8(&self, column: usize) -> Option<i64> {
        self.get(column, &[pg_sys::INT8OID]).map(|datum| datum.value() as i64)
    }

    pub(crate) fn int4(&self, column: usize) -> Option<i32> {
        self.get(column, &[pg_sys::INT4OID]).map(|datum| datum.value() as i32)
    }

    pub(crate) fn bool(&self, column: usize) -> Option<bool> {
        self.get(column, &[pg_sys::BOOLOID]).map(|datum| datum.value() & 0xff != 0)
    }

    /// A `timestamptz` column.
    pub(crate) fn timestamp(&self, column: usize) -> Option<Timestamp> {
        self.get(column, &[pg_sys::TIMESTAMPTZOID]).map(|datum| datum.value() as Timestamp)
    }

    pub(crate) fn oid(&self, column: usize) -> Option<pg_sys::Oid> {
        self.get(column, &[pg_sys::OIDOID]).map(|datum| pg_sys::Oid::from(datum.value() as u32))
    }

    /// A column with the number of a transaction.
    pub(crate) fn transaction(&self, column: usize) -> Option<pg_sys::TransactionId> {
        self.get(column, &[pg_sys::XIDOID]).map(|datum| pg_sys::TransactionId::from(datum.value() as u32))
    }

    /// A `tid` column: where a row stands in its table.
    pub(crate) fn place(&self, column: usize) -> Option<Place> {
        // SAFETY: a tid, by its type; it is copied.
        self.get(column, &[pg_sys::TIDOID]).map(|datum| Place(unsafe { *datum.cast_mut_ptr() }))
    }

    /// The elements of a `bigint[]` column that are not null; none for a null.
    pub(crate) fn int8s(&self, column: usize) -> Vec<i64> {
        // SAFETY: a bigint[], by its type, which lives until the session ends.
        unsafe { crate::pg::types::array::int8s_of(self.get(column, &[pg_sys::INT8ARRAYOID])) }
    }

    /// A column with a composite value, copied to the memory context that the session was connected in.
    pub(crate) fn transfer<'a>(&self, column: usize) -> Option<Composite<'a>> {
        self.transfer_datum(column, |of_type| of_type).map(|datum| {
            // SAFETY: a composite value, by its type, copied to memory that outlives the session.
            unsafe { Composite::from_datum(datum) }
        })
    }

    /// The same for an array of such values; none for a null.
    pub(crate) fn transfer_all<'a>(&self, column: usize) -> Vec<Composite<'a>> {
        // SAFETY: a catalog look-up within a transaction.
        let element = |of_type| unsafe { pg_sys::get_element_type(of_type) };
        self.transfer_datum(column, element).map_or_else(Vec::new, |datum| {
            // SAFETY: an array of composite values, by its type, copied to memory that outlives the session.
            unsafe { Composite::elements(datum) }
        })
    }

    fn transfer_datum(&self, column: usize, row_type: impl Fn(pg_sys::Oid) -> pg_sys::Oid) -> Option<pg_sys::Datum> {
        // SAFETY: the description has `N` columns and lives as long as the row; what is transferred is a varlena, by its type.
        unsafe {
            let found = type_of(self.columns, column);
            assert!(pg_sys::type_is_rowtype(row_type(found)), "the column has no composite values");
            (!self.nulls[column]).then(|| pg_sys::SPI_datumTransfer(self.values[column], false, -1))
        }
    }

    /// How many bytes a text, bytea or jsonb column holds, without reading them.
    pub(crate) fn size(&self, column: usize) -> usize {
        let types = [pg_sys::TEXTOID, pg_sys::BYTEAOID, pg_sys::JSONBOID];
        // SAFETY: a varlena, by its type.
        self.get(column, &types).map_or(0, |datum| unsafe { text::size(datum) })
    }

    /// The bytes of a text or bytea column.
    pub(crate) fn bytes(&self, column: usize) -> Option<&'s [u8]> {
        // SAFETY: a varlena, by its type; row and copy live in the session's memory.
        self.get(column, &[pg_sys::TEXTOID, pg_sys::BYTEAOID, pg_sys::VARCHAROID])
            .map(|datum| unsafe { text::bytes_of(datum) })
    }

    /// A jsonb column.
    pub(crate) fn jsonb(&self, column: usize) -> Option<crate::pg::types::jsonb::Jsonb<'s>> {
        // SAFETY: a jsonb, by its type; row and copy live in the session's memory.
        self.get(column, &[pg_sys::JSONBOID]).map(|datum| unsafe { crate::pg::types::jsonb::Jsonb::from_datum(datum) })
    }
}

/// Where a row stands in its table.
#[derive(Clone, Copy)]
pub(crate) struct Place(pg_sys::ItemPointerData);

impl Place {
    pub(in crate::pg) fn pointer(&mut self) -> pg_sys::ItemPointer {
        &raw mut self.0
    }
}

/// The type of a column, counted from 0.
///
/// # Safety
///
/// `columns` must describe a row with so many columns.
unsafe fn type_of(columns: pg_sys::TupleDesc, column: usize) -> pg_sys::Oid {
    // SAFETY: by the caller's promise.
    unsafe {
        #[cfg(not(feature = "pg18"))]
        return (*(*columns).attrs.as_ptr().add(column)).atttypid;
        #[cfg(feature = "pg18")]
        return pg_sys::SPI_gettypeid(columns, column as i32 + 1);
    }
}
