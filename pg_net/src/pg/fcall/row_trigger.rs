//! Triggers of ours, in C, that look at a row before it is inserted.

use std::ffi::CStr;
use std::marker::PhantomData;

use pgrx::{PgSqlErrorCode, pg_sys};

use super::call::Call;
use crate::pg::SqlError;

/// The row that is to be inserted.
pub(crate) struct NewRow<'a> {
    row: pg_sys::HeapTuple,
    columns: pg_sys::TupleDesc,
    lives: PhantomData<&'a ()>,
}

impl<'a> NewRow<'a> {
    /// `None` where the call is of another kind.
    pub(crate) fn of(call: &'a Call) -> Option<Self> {
        // SAFETY: the context of a call is a node, and its tag tells of what kind; a trigger's relation is open.
        unsafe {
            let data = (*call.frame()).context.cast::<pg_sys::TriggerData>();
            if data.is_null() || (*data).type_ != pg_sys::NodeTag::T_TriggerData {
                return None;
            }
            let wanted = pg_sys::TRIGGER_EVENT_INSERT | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_BEFORE;
            let kind = pg_sys::TRIGGER_EVENT_OPMASK | pg_sys::TRIGGER_EVENT_ROW | pg_sys::TRIGGER_EVENT_TIMINGMASK;
            ((*data).tg_event & kind == wanted).then(|| Self {
                row: (*data).tg_trigtuple,
                columns: (*(*data).tg_relation).rd_att,
                lives: PhantomData,
            })
        }
    }

    /// The number of a `bigint` column, from 1; `None` if there is none of this name.
    fn column(&self, name: &CStr) -> Option<i32> {
        // SAFETY: the description is that of the row; a missing name gives a number that is not positive.
        unsafe {
            let number = pg_sys::SPI_fnumber(self.columns, name.as_ptr());
            if number <= 0 {
                return None;
            }
            if pg_sys::SPI_gettypeid(self.columns, number) != pg_sys::INT8OID {
                let message = format!("column \"{}\" must have type bigint", name.to_string_lossy());
                SqlError::new(PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message).raise();
            }
            Some(number)
        }
    }

    /// The value of a `bigint` column.
    pub(crate) fn int8(&self, name: &CStr) -> Option<i64> {
        let column = self.column(name)?;
        let mut is_null = true;
        // SAFETY: the row has the column.
        let value = unsafe { pg_sys::SPI_getbinval(self.row, self.columns, column, &mut is_null) };
        (!is_null).then(|| value.value() as i64)
    }

    /// The row as it came, as what the trigger returns.
    pub(crate) fn unchanged(self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.row)
    }

    /// The row with other values in `bigint` columns, as what the trigger returns. A column that is not there is left out.
    pub(crate) fn with<const N: usize>(self, values: [(&CStr, i64); N]) -> pg_sys::Datum {
        let mut row = self.row;
        for (name, value) in values {
            let Some(mut column) = self.column(name) else { continue };
            let (mut value, mut is_null) = (pg_sys::Datum::from(value), false);
            // SAFETY: the row has the column, which is of the value's type.
            row = unsafe {
                pg_sys::heap_modify_tuple_by_cols(row, self.columns, 1, &mut column, &mut value, &mut is_null)
            };
        }
        pg_sys::Datum::from(row)
    }
}
