//! Forms as bodies of requests.

use std::borrow::Cow;

use engine::{FormError, Multipart, Part, form};
use pgrx::{PgSqlErrorCode, pg_sys};

use crate::pg::SqlError;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::types::composite::{self, Composite};
use crate::pg::types::jsonb::Jsonb;
use crate::pg::types::text;
use crate::pg::types::value::Value;

sql_function!(urlencode_form, pg_finfo_urlencode_form, urlencode);
sql_function!(multipart, pg_finfo_multipart, encode_parts);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

/// The bytes that a value may have: a palloc chunk, MaxAllocSize in memutils.h, less the value's header.
const MAX_BYTES: usize = (1 << 30) - 1 - pg_sys::VARHDRSZ;

fn urlencode(call: &Call) -> Answer {
    let Some(fields) = call.jsonb(0) else { return Ok(None) };
    let mut encoded = String::new();
    each_field(fields, |name, value| {
        form::push_field(&mut encoded, name, value);
        if encoded.len() > MAX_BYTES { Err(too_large(&FormError::TooLarge(MAX_BYTES))) } else { Ok(()) }
    })?;
    Ok(Some(text::datum(&encoded)))
}

fn encode_parts(call: &Call) -> Answer {
    let mut fields = Vec::new();
    if let Some(given) = call.jsonb(0) {
        each_field(given, |name, value| {
            fields.push((name.to_owned(), value.to_owned()));
            Ok(())
        })?;
    }
    let files = parts(call.composites(1))?;
    let mut all = Vec::with_capacity(fields.len() + files.len());
    for (name, value) in &fields {
        all.push(Part { name, data: value.as_bytes(), filename: None, content_type: None });
    }
    all.extend(files.iter().map(FormPart::as_part));
    let form = Multipart::encode(&all, MAX_BYTES).map_err(|error| match error {
        FormError::TooLarge(_) => too_large(&error),
        FormError::ContentType(_) => SqlError::invalid(error.to_string()),
    })?;
    Ok(Some(composite::result(call, [Value::bytea(&*form.body), Value::text(&*form.content_type)])))
}

fn each_field(form: Jsonb, field: impl FnMut(&str, &str) -> Result<(), SqlError>) -> Result<(), SqlError> {
    if !form.is_object() && !form.is_null() {
        return Err(SqlError::invalid("the fields of a form must be a JSON object"));
    }
    form.each_field(field)
}

fn too_large(error: &FormError) -> SqlError {
    SqlError::new(PgSqlErrorCode::ERRCODE_PROGRAM_LIMIT_EXCEEDED, error.to_string())
        .hint("That is the most that a value can hold.")
}

/// A `net.form_part`.
struct FormPart<'a> {
    name: Cow<'a, str>,
    data: &'a [u8],
    filename: Option<Cow<'a, str>>,
    content_type: Option<Cow<'a, str>>,
}

impl FormPart<'_> {
    fn as_part(&self) -> Part<'_> {
        let Self { name, data, filename, content_type } = self;
        Part { name, data, filename: filename.as_deref(), content_type: content_type.as_deref() }
    }
}

/// The parts of a `net.form_part[]`, without those that have no data: as a null in a jsonb, they stand for nothing.
fn parts(array: Vec<Composite>) -> Result<Vec<FormPart>, SqlError> {
    let mut parts = Vec::new();
    for part in array {
        let (name, data, filename, content_type) = (part.text(1)?, part.bytes(2), part.text(3)?, part.text(4)?);
        let Some(data) = data else { continue };
        let name = name.ok_or_else(|| SqlError::invalid("a part of a form needs a name"))?;
        parts.push(FormPart { name, data, filename, content_type });
    }
    Ok(parts)
}
