//! Values of composite types.

use std::borrow::Cow;
use std::marker::PhantomData;
use std::ptr;

use pgrx::pg_sys;

use super::text;
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
    pub(crate) unsafe fn from_datum(datum: pg_sys::Datum) -> Self {
        // SAFETY: by the caller's promise; composite values are varlenas.
        let tuple = unsafe { pg_sys::pg_detoast_datum(datum.cast_mut_ptr()) };
        Self { tuple: tuple.cast(), lives: PhantomData }
    }

    /// A field by its number, from 1.
    pub(crate) fn datum(self, number: i16) -> Option<pg_sys::Datum> {
        let mut is_null = false;
        // SAFETY: the tuple carries its type's oid, by which the field is found; a number that it has not raises.
        let datum = unsafe { pg_sys::GetAttributeByNum(self.tuple, number, &mut is_null) };
        (!is_null).then_some(datum)
    }

    /// A field by its number, from 1, in UTF-8.
    ///
    /// # Safety
    ///
    /// The field must be a text.
    pub(crate) unsafe fn text(self, number: i16) -> Result<Option<Cow<'a, str>>, SqlError> {
        // SAFETY: by the caller's promise a text, within a tuple that lives for `'a`.
        unsafe { self.bytes(number) }.map(text::from_server).transpose()
    }

    /// A field by its number, from 1.
    ///
    /// # Safety
    ///
    /// The field must be a text or a bytea.
    pub(crate) unsafe fn bytes(self, number: i16) -> Option<&'a [u8]> {
        // SAFETY: by the caller's promise a varlena.
        self.datum(number).map(|datum| unsafe { text::bytes_of(datum) })
    }
}

/// The result of a function that is declared with out parameters of the types of these fields, several of them.
///
/// # Safety
///
/// The types must be as declared.
pub(crate) unsafe fn result<const N: usize>(call: &Call, fields: [Option<pg_sys::Datum>; N]) -> pg_sys::Datum {
    let mut nulls = fields.map(|field| field.is_none());
    let mut values = fields.map(|field| field.unwrap_or(pg_sys::Datum::from(0)));
    let mut descriptor = ptr::null_mut();
    // SAFETY: the frame is that of the running call, and is only read. By the caller's promise there are as many values as
    // the descriptor has columns, of their types; they are copied.
    unsafe {
        let kind = pg_sys::get_call_result_type(call.frame().cast_mut(), ptr::null_mut(), &mut descriptor);
        assert!(kind == pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE, "the SQL declaration has no out parameters");
        let descriptor = pg_sys::BlessTupleDesc(descriptor);
        assert!((*descriptor).natts as usize == N, "the SQL declaration has other out parameters");
        let tuple = pg_sys::heap_form_tuple(descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        pg_sys::HeapTupleHeaderGetDatum((*tuple).t_data)
    }
}

/// The result of a function that returns a table with columns of the types of these fields: all its rows at once (manual, "C-Language
/// Functions", "Returning Sets").
///
/// # Safety
///
/// The types must be as declared.
pub(crate) unsafe fn rows<const N: usize>(call: &Call, rows: impl Iterator<Item = [Option<pg_sys::Datum>; N]>) {
    let mut descriptor = ptr::null_mut();
    // SAFETY: the frame is that of the running call; its result information, where it is one of sets, lives as long. By the
    // caller's promise the fields are of the columns' types; they are copied. Descriptor and rows live as long as the query.
    unsafe {
        let result = (*call.frame()).resultinfo.cast::<pg_sys::ReturnSetInfo>();
        let takes_rows = !result.is_null()
            && (*result).type_ == pg_sys::NodeTag::T_ReturnSetInfo
            && (*result).allowedModes as u32 & pg_sys::SetFunctionReturnMode::SFRM_Materialize != 0;
        assert!(takes_rows, "a set is returned where none can be taken");
        let context = pg_sys::MemoryContextSwitchTo((*(*result).econtext).ecxt_per_query_memory);
        let kind = pg_sys::get_call_result_type(call.frame().cast_mut(), ptr::null_mut(), &mut descriptor);
        assert!(kind == pg_sys::TypeFuncClass::TYPEFUNC_COMPOSITE, "the SQL declaration returns no table");
        assert!((*descriptor).natts as usize == N, "the SQL declaration has other columns");
        let store = pg_sys::tuplestore_begin_heap(true, false, pg_sys::work_mem);
        pg_sys::MemoryContextSwitchTo(context);
        for row in rows {
            let mut nulls = row.map(|field| field.is_none());
            let mut values = row.map(|field| field.unwrap_or(pg_sys::Datum::from(0)));
            pg_sys::tuplestore_putvalues(store, descriptor, values.as_mut_ptr(), nulls.as_mut_ptr());
        }
        (*result).returnMode = pg_sys::SetFunctionReturnMode::SFRM_Materialize;
        (*result).setResult = store;
        (*result).setDesc = descriptor;
    }
}
