//! Functions that SQL calls: the version-1 calling convention (manual, "C-Language Functions").

use std::borrow::Cow;

use pgrx::{FromDatum, pg_sys};

use crate::pg::SqlError;
use crate::pg::catalog::relation;
use crate::pg::types::array::plain;
use crate::pg::types::clock::Timestamp;
use crate::pg::types::composite::Composite;
use crate::pg::types::jsonb::Jsonb;
use crate::pg::types::text;
use crate::pg::types::value::Label;

/// Defines the C symbol of an SQL function and its `pg_finfo_` record around a Rust function
/// `fn(&Call) -> Result<Option<Datum>, SqlError>`.
macro_rules! sql_function {
    ($symbol:ident, $info:ident, $body:path) => {
        #[doc(hidden)]
        #[unsafe(no_mangle)]
        pub(crate) extern "C" fn $info() -> &'static pgrx::pg_sys::Pg_finfo_record {
            const VERSION_1: pgrx::pg_sys::Pg_finfo_record = pgrx::pg_sys::Pg_finfo_record { api_version: 1 };
            &VERSION_1
        }

        #[doc(hidden)]
        #[unsafe(no_mangle)]
        #[pgrx::pg_guard]
        pub(crate) unsafe extern "C-unwind" fn $symbol(fcinfo: pgrx::pg_sys::FunctionCallInfo) -> pgrx::pg_sys::Datum {
            // SAFETY: Postgres passes the frame of a call that lasts as long as this function runs.
            let mut call = unsafe { $crate::pg::fcall::call::Call::new(fcinfo) };
            match $body(&call) {
                Ok(Some(datum)) => datum,
                Ok(None) => call.return_null(),
                Err(error) => error.raise_to_caller(),
            }
        }
    };
}
pub(crate) use sql_function;

/// One call of an SQL function: its arguments.
pub(crate) struct Call<'a> {
    frame: &'a mut pg_sys::FunctionCallInfoBaseData,
}

impl<'a> Call<'a> {
    /// # Safety
    ///
    /// `frame` must be the frame of a call that outlives the result.
    pub(crate) unsafe fn new(frame: pg_sys::FunctionCallInfo) -> Self {
        // SAFETY: by the caller's promise it points to a frame that nothing else uses during the call.
        Self { frame: unsafe { &mut *frame } }
    }

    /// The function that is called.
    pub(crate) fn function(&self) -> pg_sys::Oid {
        // SAFETY: Postgres looked the function up to call it, and keeps what it found for the length of the call.
        unsafe { (*self.frame.flinfo).fn_oid }
    }

    /// The table that a trigger is called for; `None` where it is called otherwise.
    pub(crate) fn trigger_table(&self) -> Option<pg_sys::Oid> {
        let context = self.frame.context;
        // SAFETY: a node or null; its tag tells its type. The relation is open while the trigger runs.
        unsafe {
            let is_trigger = !context.is_null() && (*context).type_ == pg_sys::NodeTag::T_TriggerData;
            is_trigger.then(|| (*(*context.cast::<pg_sys::TriggerData>()).tg_relation).rd_id)
        }
    }

    pub(crate) fn return_null(&mut self) -> pg_sys::Datum {
        self.frame.isnull = true;
        pg_sys::Datum::from(0)
    }

    /// The frame itself, to be read.
    pub(in crate::pg) fn frame(&self) -> *const pg_sys::FunctionCallInfoBaseData {
        &raw const *self.frame
    }

    /// An argument by its place, from 0; `None` for a null.
    pub(crate) fn datum(&self, place: usize) -> Option<pg_sys::Datum> {
        assert!(place < self.frame.nargs as usize, "the SQL declaration has fewer arguments than the code reads");
        // SAFETY: the frame holds `nargs` arguments behind its fixed part, checked above.
        let argument = unsafe { *self.frame.args.as_ptr().add(place) };
        (!argument.isnull).then_some(argument.value)
    }

    pub(crate) fn bool(&self, place: usize) -> Option<bool> {
        self.datum(place).map(|datum| datum.value() & 0xff != 0)
    }

    pub(crate) fn int4(&self, place: usize) -> Option<i32> {
        self.datum(place).map(|datum| datum.value() as i32)
    }

    pub(crate) fn int8(&self, place: usize) -> Option<i64> {
        self.datum(place).map(|datum| datum.value() as i64)
    }

    /// A `text` argument, as UTF-8.
    pub(crate) fn text(&self, place: usize) -> Result<Option<Cow<'a, str>>, SqlError> {
        let Some(datum) = self.datum(place) else { return Ok(None) };
        // SAFETY: the SQL declaration says text; the value lives as long as the call.
        text::from_server(unsafe { text::bytes_of(datum) }).map(Some)
    }

    /// The bytes of a `bytea` argument.
    pub(crate) fn bytes(&self, place: usize) -> Option<&'a [u8]> {
        // SAFETY: the SQL declaration says bytea; the value lives as long as the call.
        self.datum(place).map(|datum| unsafe { text::bytes_of(datum) })
    }

    /// A `timestamptz` argument, in microseconds since 2000.
    pub(crate) fn timestamp(&self, place: usize) -> Option<Timestamp> {
        self.int8(place)
    }

    /// An argument of an enum type.
    pub(crate) fn enum_label(&self, place: usize) -> Option<Label> {
        self.datum(place).map(|datum| Label(pg_sys::Oid::from(datum.value() as u32)))
    }

    /// The name of the label of an argument of an enum type.
    pub(crate) fn label(&self, place: usize) -> Option<String> {
        self.datum(place).map(|datum| relation::enum_label(pg_sys::Oid::from(datum.value() as u32)))
    }

    /// The elements of a `bigint[]` argument that are not null; none for a null.
    pub(crate) fn int8s(&self, place: usize) -> Vec<i64> {
        // SAFETY: the SQL declaration says bigint[]; the value lives as long as the call.
        unsafe { crate::pg::types::array::int8s_of(self.datum(place)) }
    }

    /// The elements of a `text[]` argument that are not null, as UTF-8; `None` for a null.
    pub(crate) fn texts(&self, place: usize) -> Result<Option<Vec<Cow<'a, str>>>, SqlError> {
        let Some(datum) = self.datum(place) else { return Ok(None) };
        // SAFETY: the SQL declaration says text[]; the value lives as long as the call.
        let array = unsafe { pgrx::Array::<pg_sys::Datum>::from_datum(plain(datum), false) };
        // SAFETY: as above: an element of the array.
        let text = |element| text::from_server(unsafe { text::bytes_of(element) });
        array.iter().flat_map(pgrx::Array::iter).flatten().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// The elements of an argument that is an array of a composite type, but for nulls; none for a null.
    pub(crate) fn composites(&self, place: usize) -> Vec<Composite<'a>> {
        // SAFETY: the SQL declaration says so; the value lives as long as the call.
        self.datum(place).map_or_else(Vec::new, |datum| unsafe { Composite::elements(datum) })
    }

    /// An `interval` argument in microseconds, with 30 days to a month as Postgres has it when it compares intervals.
    pub(crate) fn microseconds(&self, place: usize) -> Option<i128> {
        self.datum(place).map(|datum| {
            // SAFETY: the SQL declaration says interval; the value lives as long as the call.
            let interval = unsafe { &*datum.cast_mut_ptr::<pg_sys::Interval>() };
            let days = i128::from(interval.month) * 30 + i128::from(interval.day);
            days * 86_400_000_000 + i128::from(interval.time)
        })
    }

    /// A `jsonb` argument.
    pub(crate) fn jsonb(&self, place: usize) -> Option<Jsonb<'a>> {
        // SAFETY: the SQL declaration says jsonb; the value lives as long as the call.
        self.datum(place).map(|datum| unsafe { Jsonb::from_datum(datum) })
    }
}
