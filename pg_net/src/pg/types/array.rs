//! Arrays: as arguments of a statement that records many rows at once, and of functions.

use std::cmp::Ordering;

use pgrx::{FromDatum, PgSqlErrorCode, pg_sys};

use super::value::Value;
use crate::pg::SqlError;

/// The elements of an array, collected one by one.
pub(crate) struct Array {
    element: Element,
    values: Vec<pg_sys::Datum>,
    nulls: Vec<bool>,
}

/// The element types that statements of ours take.
#[derive(Clone, Copy)]
pub(crate) enum Element {
    Bool,
    Int4,
    Int8,
    Float4,
    Timestamp,
    Oid,
    Text,
    Bytea,
    Jsonb,
}

impl Element {
    /// The oid of the array type.
    pub(crate) fn array_type(self) -> pg_sys::Oid {
        match self {
            Self::Bool => pg_sys::BOOLARRAYOID,
            Self::Int4 => pg_sys::INT4ARRAYOID,
            Self::Int8 => pg_sys::INT8ARRAYOID,
            Self::Float4 => pg_sys::FLOAT4ARRAYOID,
            Self::Timestamp => pg_sys::TIMESTAMPTZARRAYOID,
            Self::Oid => pg_sys::OIDARRAYOID,
            Self::Text => pg_sys::TEXTARRAYOID,
            Self::Bytea => pg_sys::BYTEAARRAYOID,
            Self::Jsonb => pg_sys::JSONBARRAYOID,
        }
    }

    /// The oid of the type.
    pub(crate) fn oid(self) -> pg_sys::Oid {
        self.shape().0
    }

    /// Its oid, length, whether it is passed by value, and its alignment, as `pg_type` has them.
    fn shape(self) -> (pg_sys::Oid, i32, bool, u8) {
        match self {
            Self::Bool => (pg_sys::BOOLOID, 1, true, pg_sys::TYPALIGN_CHAR),
            Self::Int4 => (pg_sys::INT4OID, 4, true, pg_sys::TYPALIGN_INT),
            Self::Int8 => (pg_sys::INT8OID, 8, true, pg_sys::TYPALIGN_DOUBLE),
            Self::Float4 => (pg_sys::FLOAT4OID, 4, true, pg_sys::TYPALIGN_INT),
            Self::Timestamp => (pg_sys::TIMESTAMPTZOID, 8, true, pg_sys::TYPALIGN_DOUBLE),
            Self::Oid => (pg_sys::OIDOID, 4, true, pg_sys::TYPALIGN_INT),
            Self::Text => (pg_sys::TEXTOID, -1, false, pg_sys::TYPALIGN_INT),
            Self::Bytea => (pg_sys::BYTEAOID, -1, false, pg_sys::TYPALIGN_INT),
            Self::Jsonb => (pg_sys::JSONBOID, -1, false, pg_sys::TYPALIGN_INT),
        }
    }
}

impl Array {
    pub(crate) fn with_capacity(element: Element, capacity: usize) -> Self {
        Self { element, values: Vec::with_capacity(capacity), nulls: Vec::with_capacity(capacity) }
    }

    /// Appends an element. One of another type raises.
    pub(crate) fn push(&mut self, value: Value) {
        if value.of_type() != self.element.oid() {
            wrong_type(value.of_type(), self.element.oid());
        }
        self.values.push(value.datum().unwrap_or(pg_sys::Datum::null()));
        self.nulls.push(value.is_null());
    }

    /// The array, in the current memory context.
    pub(crate) fn build(mut self) -> Value {
        let (oid, length, by_value, alignment) = self.element.shape();
        let mut dimension = self.values.len() as i32;
        let mut lower_bound = 1;
        // SAFETY: as many values as nulls; the shape is that of the element type in pg_type; everything is copied.
        unsafe {
            let array = pg_sys::construct_md_array(
                self.values.as_mut_ptr(),
                self.nulls.as_mut_ptr(),
                1,
                &mut dimension,
                &mut lower_bound,
                oid,
                length,
                by_value,
                alignment as _,
            );
            Value::new(self.element.array_type(), Some(array.into()))
        }
    }
}

/// An `int8[]` without nulls.
pub(crate) fn int8s(values: impl ExactSizeIterator<Item = i64>) -> Value {
    let mut array = Array::with_capacity(Element::Int8, values.len());
    for value in values {
        array.push(Value::int8(value));
    }
    array.build()
}

#[cold]
fn wrong_type(found: pg_sys::Oid, wanted: pg_sys::Oid) -> ! {
    let [found, wanted] = [found, wanted].map(super::name);
    let message = format!("a value has type {found} where pg_net needs {wanted}");
    SqlError::new(PgSqlErrorCode::ERRCODE_DATATYPE_MISMATCH, message).raise()
}

/// The elements of a Rust array, and one more at a place among them.
pub(crate) fn with<T: Copy, const N: usize, const M: usize>(elements: [T; N], at: usize, one: T) -> [T; M] {
    const { assert!(M == N + 1) };
    std::array::from_fn(|place| match place.cmp(&at) {
        Ordering::Less => elements[place],
        Ordering::Equal => one,
        Ordering::Greater => elements[place - 1],
    })
}

/// The elements of two Rust arrays, one behind the other.
pub(crate) fn joined<T: Copy, const N: usize, const M: usize, const S: usize>(first: [T; N], second: [T; M]) -> [T; S] {
    const { assert!(S == N + M) };
    std::array::from_fn(|place| if place < N { first[place] } else { second[place - N] })
}

/// An array in its plain form, copied to the current memory context where it had another: `pgrx::Array` would free the copy, and
/// its elements with it, before they are read.
///
/// # Safety
///
/// It must be an array.
pub(in crate::pg) unsafe fn plain(array: pg_sys::Datum) -> pg_sys::Datum {
    // SAFETY: by the caller's promise a varlena.
    unsafe { pg_sys::pg_detoast_datum(array.cast_mut_ptr()).into() }
}

/// The elements of an `int8[]` that are not null; none for a null.
///
/// # Safety
///
/// `array` must be a `int8[]` that lives as long as the call.
pub(crate) unsafe fn int8s_of(array: Option<pg_sys::Datum>) -> Vec<i64> {
    // SAFETY: by the caller's promise.
    let array = array.and_then(|array| unsafe { pgrx::Array::<i64>::from_datum(array, false) });
    array.iter().flat_map(pgrx::Array::iter).flatten().collect()
}
