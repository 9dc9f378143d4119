//! Values of SQL types, each with its type, so that none is taken for another.

use pgrx::pg_sys;

use super::clock::Timestamp;
use super::text;

/// A label of an enum.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Label(pub(in crate::pg) pg_sys::Oid);

/// A domain, and the type that it is over.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Domain {
    oid: pg_sys::Oid,
    base: pg_sys::Oid,
}

impl Domain {
    /// Within a transaction.
    pub(crate) fn of(oid: pg_sys::Oid) -> Self {
        // SAFETY: a catalog look-up within a transaction.
        Self { oid, base: unsafe { pg_sys::getBaseType(oid) } }
    }
}

/// A value or a null, with its type. What it points to lives as long as the memory context that it was made in.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Value {
    of_type: pg_sys::Oid,
    datum: pg_sys::Datum,
    is_null: bool,
}

impl Value {
    /// # Safety
    ///
    /// The datum must be of the type.
    pub(in crate::pg) unsafe fn new(of_type: pg_sys::Oid, datum: Option<pg_sys::Datum>) -> Self {
        Self { of_type, datum: datum.unwrap_or(pg_sys::Datum::null()), is_null: datum.is_none() }
    }

    fn of(of_type: pg_sys::Oid, datum: Option<pg_sys::Datum>) -> Self {
        Self { of_type, datum: datum.unwrap_or(pg_sys::Datum::null()), is_null: datum.is_none() }
    }

    /// A null of a type.
    pub(crate) fn null(of_type: pg_sys::Oid) -> Self {
        Self::of(of_type, None)
    }

    pub(crate) fn bool(value: impl Into<Option<bool>>) -> Self {
        Self::of(pg_sys::BOOLOID, value.into().map(pg_sys::Datum::from))
    }

    pub(crate) fn int4(value: impl Into<Option<i32>>) -> Self {
        Self::of(pg_sys::INT4OID, value.into().map(pg_sys::Datum::from))
    }

    pub(crate) fn int8(value: impl Into<Option<i64>>) -> Self {
        Self::of(pg_sys::INT8OID, value.into().map(pg_sys::Datum::from))
    }

    pub(crate) fn float4(value: impl Into<Option<f32>>) -> Self {
        Self::of(pg_sys::FLOAT4OID, value.into().map(|value| pg_sys::Datum::from(value.to_bits())))
    }

    pub(crate) fn timestamp(value: impl Into<Option<Timestamp>>) -> Self {
        Self::of(pg_sys::TIMESTAMPTZOID, value.into().map(pg_sys::Datum::from))
    }

    pub(crate) fn oid(value: impl Into<Option<pg_sys::Oid>>) -> Self {
        Self::of(pg_sys::OIDOID, value.into().map(pg_sys::Datum::from))
    }

    /// A text in the current memory context; a character that the database's encoding cannot hold becomes a question mark.
    pub(crate) fn text<'a>(value: impl Into<Option<&'a str>>) -> Self {
        Self::of(pg_sys::TEXTOID, value.into().map(text::datum))
    }

    /// A text of bytes that are in the server's encoding.
    pub(crate) fn server_text<'a>(value: impl Into<Option<&'a [u8]>>) -> Self {
        Self::of(pg_sys::TEXTOID, value.into().map(text::varlena))
    }

    pub(crate) fn bytea<'a>(value: impl Into<Option<&'a [u8]>>) -> Self {
        Self::of(pg_sys::BYTEAOID, value.into().map(text::varlena))
    }

    /// An enum's label, as a value of that type.
    pub(crate) fn label(of_type: pg_sys::Oid, label: Label) -> Self {
        Self::of(of_type, Some(label.0.into()))
    }

    /// The same value as one of a domain over its type, whose checks it has passed.
    pub(crate) fn of_domain(self, domain: Domain) -> Self {
        assert!(self.of_type == domain.base, "a value is not of the type that the domain is over");
        Self { of_type: domain.oid, ..self }
    }

    /// How many bytes a text, bytea or jsonb holds once it is whole, without making it so.
    pub(crate) fn size(self) -> usize {
        assert!([pg_sys::TEXTOID, pg_sys::BYTEAOID, pg_sys::JSONBOID].contains(&self.of_type), "a value has no size");
        // SAFETY: a varlena, by its type.
        self.datum().map_or(0, |datum| unsafe { text::size(datum) })
    }

    /// The oid of its type.
    pub(crate) fn of_type(self) -> pg_sys::Oid {
        self.of_type
    }

    pub(crate) fn is_null(self) -> bool {
        self.is_null
    }

    pub(in crate::pg) fn datum(self) -> Option<pg_sys::Datum> {
        (!self.is_null).then_some(self.datum)
    }
}
