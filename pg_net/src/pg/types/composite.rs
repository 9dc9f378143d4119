//! Values of composite types.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ptr;

use pgrx::{FromDatum, PgSqlErrorCode, pg_sys};

use super::array::plain;
use super::text;
use super::value::Value;
use crate::pg::SqlError;
use crate::pg::fcall::call::Call;

/// A value of a composite type that lives for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Composite<'a> {
    tuple: pg_sys::HeapTupleHeader,
    lives: PhantomData<&'a ()>,
}

impl<'a> Composite<'a> {
    /// # Safety
    ///
    /// `datum` must be a value of a composite type that lives at least as long as `'a`; a toasted one is copied into the
    /// current memory context, which then must live as long, too.
    pub(in crate::pg) unsafe fn from_datum(datum: pg_sys::Datum) -> Self {
        // SAFETY: by the caller's promise; composite values are varlenas.
        let tuple = unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) };
        Self { tuple: tuple.cast(), lives: PhantomData }
    }

    /// The elements of an array of composite values, but for nulls.
    ///
    /// # Safety
    ///
    /// It must be an array of composite values that lives at least as long as `'a`.
    pub(in crate::pg) unsafe fn elements(array: pg_sys::Datum) -> Vec<Self> {
        // SAFETY: by the caller's promise.
        let array = unsafe { pgrx::Array::<pg_sys::Datum>::from_datum(plain(array), false) };
        // SAFETY: as above: an element of the array.
        let element = |element| unsafe { Self::from_datum(element) };
        array.iter().flat_map(pgrx::Array::iter).flatten().map(element).collect()
    }

    /// The value itself, as the result of a function.
    pub(crate) fn datum(self) -> pg_sys::Datum {
        pg_sys::Datum::from(self.tuple)
    }

    /// A field by its number, from 1.
    pub(crate) fn field(self, number: i16) -> Value {
        let mut is_null = false;
        // SAFETY: the tuple carries its type's oid, by which the field and its type are found; a number that it has not raises.
        unsafe {
            let datum = pg_sys::GetAttributeByNum(self.tuple, number, &mut is_null);
            let row_type = (*self.tuple).t_choice.t_datum.datum_typeid;
            let of_type = pg_sys::get_atttype(pg_sys::get_typ_typrelid(row_type), number);
            Value::new(of_type, (!is_null).then_some(datum))
        }
    }

    /// A field of type text by its number, from 1, in UTF-8.
    pub(crate) fn text(self, number: i16) -> Result<Option<Cow<'a, str>>, SqlError> {
        self.varlena(number, pg_sys::TEXTOID).map(text::from_server).transpose()
    }

    /// A field of type bytea by its number, from 1.
    pub(crate) fn bytes(self, number: i16) -> Option<&'a [u8]> {
        self.varlena(number, pg_sys::BYTEAOID)
    }

    fn varlena(self, number: i16, of_type: pg_sys::Oid) -> Option<&'a [u8]> {
        let field = self.field(number);
        if field.of_type() != of_type {
            let message = format!("field {number} of a composite value has another type than pg_net needs");
            SqlError::new(PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message).raise();
        }
        // SAFETY: a varlena, by its type, within a tuple that lives for `'a`.
        field.datum().map(|datum| unsafe { text::bytes_of(datum) })
    }
}

/// The result of a function that is declared with out parameters of the types of these fields, several of them.
pub(crate) fn result<const N: usize>(call: &Call, fields: [Value; N]) -> pg_sys::Datum {
    let mut descriptor = ptr::null_mut();
    // SAFETY: the frame is that of the running call, and is only read. There are as many values as the descriptor has columns,
    // of their types; they are copied.
    unsafe {
        let kind = pg_sys::get_call_result_type(call.frame().cast_mut(), ptr::null_mut(), &mut descriptor);
        assert!(kind == pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE, "the SQL declaration has no out parameters");
        let descriptor = pg_sys::BlessTupleDesc(descriptor);
        check_types(descriptor, &fields);
        let mut nulls = fields.map(Value::is_null);
        let mut values = fields.map(datum_or_zero);
        let tuple = pg_sys::heap_form_tuple(descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data)
    }
}

/// The result of a function that returns a table with columns of the types of these fields: all its rows at once (manual, "C-Language
/// Functions", "Returning Sets").
pub(crate) fn rows<const N: usize>(call: &Call, rows: impl Iterator<Item = [Value; N]>) {
    let mut descriptor = ptr::null_mut();
    // SAFETY: the frame is that of the running call; its result information, where it is one of sets, lives as long. The fields
    // are of the columns' types; they are copied. Descriptor and rows live as long as the query.
    unsafe {
        let result = (*call.frame()).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let takes_rows = !result.is_null()
            && (*result).type_ == pg_sys::NodeTag::T_ReturnSetInfo
            && (*result).allowedModes as u32 & pg_sys::SetFunctionReturnMode::SFRM_Materialize != 0;
        assert!(takes_rows, "a set is returned where none can be taken");
        let context = pg_sys::MemoryContextSwitchTo((*(*result).econtext).ecxt_per_query_memory);
        let kind = pg_sys::get_call_result_type(call.frame().cast_mut(), ptr::null_mut(), &mut descriptor);
        assert!(kind == pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE, "the SQL declaration returns no table");
        let store = pg_sys::tuplestore_begin_heap(true, false, pg_sys::work_mem);
        pg_sys::MemoryContextSwitchTo(context);
        for row in rows {
            check_types(descriptor, &row);
            let mut nulls = row.map(Value::is_null);
            let mut values = row.map(datum_or_zero);
            pg_sys::tuplestore_putvalues(store, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
        (*result).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        (*result).setResult = store;
        (*result).setDesc = descriptor;
    }
}

/// Checks that a function's result is declared with columns of the types of these fields.
///
/// # Safety
///
/// `descriptor` must describe a row.
unsafe fn check_types(descriptor: pg_sys::TupleDesc, fields: &[Value]) {
    // SAFETY: by the caller's promise; a column that it has is asked for.
    unsafe {
        assert!((*descriptor).natts as usize == fields.len(), "the SQL declaration has other columns");
        for (place, field) in fields.iter().enumerate() {
            let declared = pg_sys::SPI_gettypeid(descriptor, place as i32 + 1);
            assert!(declared == field.of_type(), "the SQL declaration has another type for column {}", place + 1);
        }
    }
}

fn datum_or_zero(field: Value) -> pg_sys::Datum {
    field.datum().unwrap_or(pg_sys::Datum::null())
}
