//! jsonb objects, read and built in their binary form, without a way through text.

use std::borrow::Cow;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::ptr;

use pgrx::direct_function_call_as_datum;
use pgrx::pg_sys::{self, JsonbIteratorToken, jbvType};

use super::text;
use super::value::Value;
use crate::pg::SqlError;

/// A jsonb value that lives for `'a`.
#[derive(Clone, Copy)]
pub(crate) struct Jsonb<'a> {
    value: *mut pg_sys::Jsonb,
    lives: PhantomData<&'a ()>,
}

impl<'a> Jsonb<'a> {
    /// # Safety
    ///
    /// `datum` must be a jsonb that lives at least as long as `'a`; a toasted or short one is copied into the current
    /// memory context, which then must live as long, too.
    pub(crate) unsafe fn from_datum(datum: pg_sys::Datum) -> Self {
        // SAFETY: by the caller's promise a varlena; detoasting gives the aligned form that the jsonb functions read.
        let value = unsafe {
            let varlena = datum.cast_mut_ptr::<pg_sys::varlena>();
            if pgrx::varatt_is_4b_u(varlena) { varlena } else { pg_sys::pg_detoast_datum(varlena) }
        };
        Self { value: value.cast(), lives: PhantomData }
    }

    /// The value itself.
    pub(crate) fn value(self) -> Value {
        // SAFETY: a jsonb, by the promise at `from_datum`.
        unsafe { Value::new(pg_sys::JSONBOID, Some(self.value.into())) }
    }

    pub(crate) fn is_object(self) -> bool {
        self.header() & pg_sys::JB_FOBJECT != 0
    }

    /// Whether it is JSON's `null`.
    pub(crate) fn is_null(self) -> bool {
        self.header() & pg_sys::JB_FSCALAR != 0 && self.text_form() == "null"
    }

    /// Whether it has no member and no element.
    pub(crate) fn is_empty(self) -> bool {
        self.header() & pg_sys::JB_CMASK == 0
    }

    fn header(self) -> u32 {
        // SAFETY: `value` points to a plain jsonb by the promise at `from_datum`.
        unsafe { (*self.value).root.header }
    }

    fn root(self) -> *mut pg_sys::JsonbContainer {
        // SAFETY: as in `header`; only an address is taken.
        unsafe { &raw mut (*self.value).root }
    }

    /// The JSON text, as UTF-8.
    pub(crate) fn to_text(self) -> Result<String, SqlError> {
        container_text(self.root())
    }

    fn text_form(self) -> String {
        self.to_text().unwrap_or_default()
    }

    /// Calls `member` for each member of an object: its key and its value, which is the string itself for a string, `None`
    /// for null, and the JSON text for everything else. Other values than objects have no members.
    pub(crate) fn each<E: From<SqlError>>(
        self,
        mut member: impl FnMut(&str, Option<&str>) -> Result<(), E>,
    ) -> Result<(), E> {
        // SAFETY: the value comes from an iterator over this object, and is read before the next step.
        self.members(|key, value| member(key, unsafe { scalar(value) }?.as_deref()))
    }

    /// Whether a member with this name, in whatever case, has a value other than null. The name must be ASCII.
    pub(crate) fn has_value(self, name: &str) -> bool {
        let mut found = false;
        self.each_raw(|key, value| {
            found |= key.eq_ignore_ascii_case(name.as_bytes()) && value.type_ != jbvType::jbvNull;
            Ok::<_, SqlError>(())
        })
        .is_ok()
            && found
    }

    /// This object with the members of another, in the current memory context.
    pub(crate) fn joined_with(self, other: Jsonb) -> Value {
        let objects = [self, other].map(|object| Some(pg_sys::Datum::from(object.value)));
        // SAFETY: both are plain jsonb objects; the answer is one.
        unsafe { Value::new(pg_sys::JSONBOID, direct_function_call_as_datum(pg_sys::jsonb_concat, &objects)) }
    }

    /// As [`each`](Self::each) without the nulls; and the elements of an array are values under the same key, one by one.
    pub(crate) fn each_field<E: From<SqlError>>(
        self,
        mut field: impl FnMut(&str, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        self.members(|key, value| {
            // SAFETY: the value comes from an iterator over this object, and is read before the next step; the elements are
            // those of an array in it.
            unsafe {
                let Some(array) = array(value) else {
                    return scalar(value)?.map_or(Ok(()), |text| field(key, &text));
                };
                let mut iterator = pg_sys::JsonbIteratorInit(array);
                let mut element = pg_sys::JsonbValue::default();
                pg_sys::JsonbIteratorNext(&mut iterator, &mut element, true);
                while pg_sys::JsonbIteratorNext(&mut iterator, &mut element, true) == JsonbIteratorToken::WJB_ELEM {
                    if let Some(text) = scalar(&element)? {
                        field(key, &text)?;
                    }
                }
                Ok(())
            }
        })
    }

    /// Calls `member` for each member of an object: its key and its value, tagged by its type.
    fn members<E: From<SqlError>>(
        self,
        mut member: impl FnMut(&str, &pg_sys::JsonbValue) -> Result<(), E>,
    ) -> Result<(), E> {
        self.each_raw(|key, value| member(&text::from_server(key)?, value))
    }

    /// The same with the keys as the server has them.
    fn each_raw<E>(self, mut member: impl FnMut(&[u8], &pg_sys::JsonbValue) -> Result<(), E>) -> Result<(), E> {
        if !self.is_object() || self.is_empty() {
            return Ok(());
        }
        // SAFETY: an iterator over a plain jsonb; each value is read by the type that it is tagged with, before the next
        // step. Nested containers are skipped, so keys and values of the top level alternate.
        unsafe {
            let mut iterator = pg_sys::JsonbIteratorInit(self.root());
            let mut value = pg_sys::JsonbValue::default();
            pg_sys::JsonbIteratorNext(&mut iterator, &mut value, true);
            loop {
                match pg_sys::JsonbIteratorNext(&mut iterator, &mut value, true) {
                    JsonbIteratorToken::WJB_KEY => {
                        let key = string(&value);
                        pg_sys::JsonbIteratorNext(&mut iterator, &mut value, true);
                        member(key, &value)?;
                    }
                    _ => return Ok(()),
                }
            }
        }
    }
}

/// The container of an array.
///
/// # Safety
///
/// `value` must come from an iterator over a container.
unsafe fn array(value: &pg_sys::JsonbValue) -> Option<*mut pg_sys::JsonbContainer> {
    // SAFETY: the tag says which member of the union holds the value; a container begins with its header.
    unsafe {
        if value.type_ != jbvType::jbvBinary {
            return None;
        }
        let container = value.val.binary.data;
        ((*container).header & pg_sys::JB_FARRAY != 0).then_some(container)
    }
}

/// # Safety
///
/// `value` must be tagged as a string and come from a container that lives for `'a`.
unsafe fn string<'a>(value: &pg_sys::JsonbValue) -> &'a [u8] {
    // SAFETY: by the caller's promise.
    unsafe { std::slice::from_raw_parts(value.val.string.val.cast(), value.val.string.len as usize) }
}

/// # Safety
///
/// `value` must come from an iterator over a container that lives for `'a`.
unsafe fn scalar<'a>(value: &pg_sys::JsonbValue) -> Result<Option<Cow<'a, str>>, SqlError> {
    // SAFETY: each arm reads the member of the union that the tag names.
    unsafe {
        Ok(match value.type_ {
            jbvType::jbvNull => None,
            jbvType::jbvString => Some(text::from_server(string(value))?),
            jbvType::jbvBool => Some(Cow::Borrowed(if value.val.boolean { "true" } else { "false" })),
            jbvType::jbvNumeric => {
                let number: pg_sys::Datum = value.val.numeric.into();
                direct_function_call_as_datum(pg_sys::numeric_out, &[Some(number)])
                    .map(|text| CStr::from_ptr(text.cast_mut_ptr()).to_string_lossy().into_owned().into())
            }
            _ => Some(Cow::Owned(container_text(value.val.binary.data)?)),
        })
    }
}

fn container_text(container: *mut pg_sys::JsonbContainer) -> Result<String, SqlError> {
    // SAFETY: both callers pass a container of a plain jsonb; the answer is a C string in the current memory context.
    let text = unsafe { CStr::from_ptr(pg_sys::JsonbToCString(ptr::null_mut(), container, 0)) };
    text::from_server(text.to_bytes()).map(Cow::into_owned)
}

/// Builds a jsonb object in the current memory context.
pub(crate) struct ObjectBuilder {
    state: *mut pg_sys::JsonbParseState,
}

impl ObjectBuilder {
    pub(crate) fn new() -> Self {
        let mut builder = Self { state: ptr::null_mut() };
        builder.push(JsonbIteratorToken::WJB_BEGIN_OBJECT, None);
        builder
    }

    /// Adds a member with a string.
    pub(crate) fn string(&mut self, key: &str, value: &str) {
        self.push(JsonbIteratorToken::WJB_KEY, Some(key));
        self.push(JsonbIteratorToken::WJB_VALUE, Some(value));
    }

    /// Adds a member with an array of strings.
    pub(crate) fn strings<'s>(&mut self, key: &str, values: impl Iterator<Item = &'s str>) {
        self.push(JsonbIteratorToken::WJB_KEY, Some(key));
        self.push(JsonbIteratorToken::WJB_BEGIN_ARRAY, None);
        for value in values {
            self.push(JsonbIteratorToken::WJB_ELEM, Some(value));
        }
        self.push(JsonbIteratorToken::WJB_END_ARRAY, None);
    }

    /// The finished object.
    pub(crate) fn finish<'a>(mut self) -> Jsonb<'a> {
        let root = self.push(JsonbIteratorToken::WJB_END_OBJECT, None);
        // SAFETY: `root` is the finished object that the state has just given.
        Jsonb { value: unsafe { pg_sys::JsonbValueToJsonb(root) }, lives: PhantomData }
    }

    fn push(&mut self, token: JsonbIteratorToken::Type, text: Option<&str>) -> *mut pg_sys::JsonbValue {
        // A NUL fits into no jsonb: it is replaced, as the character that stands for what could not be kept.
        let text = text.map(|text| match memchr::memchr(0, text.as_bytes()) {
            Some(_) => Cow::Owned(text.replace('\0', "\u{fffd}")),
            None => Cow::Borrowed(text),
        });
        let server = text.as_deref().map(text::to_server_as_far_as_it_goes);
        let mut value = pg_sys::JsonbValue::default();
        // SAFETY: the state is null or was made by this function. The value is tagged as the string that it holds; a string
        // from Rust is copied into the current memory context, since the state keeps the pointer.
        unsafe {
            let Some(server) = server else {
                return pg_sys::pushJsonbValue(&mut self.state, token, ptr::null_mut());
            };
            let copy = pg_sys::palloc(server.len().max(1)).cast::<u8>();
            ptr::copy_nonoverlapping(server.as_ptr(), copy, server.len());
            value.type_ = jbvType::jbvString;
            value.val.string.len = server.len() as i32;
            value.val.string.val = copy.cast();
            pg_sys::pushJsonbValue(&mut self.state, token, &mut value)
        }
    }
}
