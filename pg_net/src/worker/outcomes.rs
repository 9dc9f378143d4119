//! Outcomes as rows of the response table.

use std::ffi::CStr;

use engine::{Content, Headers, Outcome};
use pgrx::pg_sys;

use super::claim::Asked;
use crate::pg::array::{Array, Element};
use crate::pg::jsonb::ObjectBuilder;
use crate::pg::text;

/// Stores many rows at once: an array a column.
pub(super) const INSERT: &CStr = c"insert into net._http_response \
    (id, status_code, content_type, headers, content, timed_out, error_msg, content_bytes, requested_by) \
    select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9)";

const COLUMNS: usize = 9;

/// The parameter types of [`INSERT`].
pub(super) const TYPES: [pg_sys::Oid; COLUMNS] = [
    pg_sys::INT8ARRAYOID,
    pg_sys::INT4ARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::JSONBARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::BOOLARRAYOID,
    pg_sys::TEXTARRAYOID,
    pg_sys::BYTEAARRAYOID,
    pg_sys::OIDARRAYOID,
];

/// Bytes of the body that came.
pub(super) fn body_length(outcome: &Outcome) -> usize {
    match outcome.result.as_ref().map(|response| &response.content) {
        Ok(Content::Text(text)) => text.len(),
        Ok(Content::Bytes(bytes)) => bytes.len(),
        Ok(Content::Empty) | Err(_) => 0,
    }
}

/// The columns of the rows to store, in the current memory context.
pub(super) struct Columns {
    id: Array,
    status_code: Array,
    content_type: Array,
    headers: Array,
    content: Array,
    timed_out: Array,
    error_msg: Array,
    content_bytes: Array,
    requested_by: Array,
    empty: bool,
}

impl Columns {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let array = |element| Array::with_capacity(element, rows);
        Self {
            id: array(Element::Int8),
            status_code: array(Element::Int4),
            content_type: array(Element::Text),
            headers: array(Element::Jsonb),
            content: array(Element::Text),
            timed_out: array(Element::Bool),
            error_msg: array(Element::Text),
            content_bytes: array(Element::Bytea),
            requested_by: array(Element::Oid),
            empty: true,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Appends a row.
    pub(super) fn push(&mut self, outcome: &Outcome, asked: Asked) {
        self.empty = false;
        self.id.push(Some(asked.id.into()));
        self.requested_by.push(Some(asked.by.into()));
        match &outcome.result {
            Ok(response) => {
                let (content, bytes) = body(&response.content);
                self.status_code.push(Some(i32::from(response.status).into()));
                self.content_type.push(response.headers.get("content-type").map(text::datum));
                self.headers.push(Some(headers(&response.headers)));
                self.content.push(content);
                self.content_bytes.push(bytes);
                self.timed_out.push(Some(false.into()));
                self.error_msg.push(None);
            }
            Err(failure) => {
                self.status_code.push(None);
                self.content_type.push(None);
                self.headers.push(None);
                self.content.push(None);
                self.content_bytes.push(None);
                self.timed_out.push(Some(failure.timed_out().into()));
                self.error_msg.push(Some(text::datum(&failure.to_string())));
            }
        }
    }

    /// The arguments of [`INSERT`].
    pub(super) fn build(self) -> [Option<pg_sys::Datum>; COLUMNS] {
        [
            self.id,
            self.status_code,
            self.content_type,
            self.headers,
            self.content,
            self.timed_out,
            self.error_msg,
            self.content_bytes,
            self.requested_by,
        ]
        .map(|column| Some(column.build()))
    }
}

/// The columns `content` and `content_bytes`: what the database's encoding cannot hold as text is kept as bytes.
fn body(content: &Content) -> (Option<pg_sys::Datum>, Option<pg_sys::Datum>) {
    match content {
        Content::Empty => (None, None),
        Content::Bytes(bytes) => (None, Some(text::varlena(bytes))),
        Content::Text(plain) => match text::to_server(plain) {
            Some(server) => (Some(text::varlena(&server)), None),
            None => (None, Some(text::varlena(plain.as_bytes()))),
        },
    }
}

/// The header fields as an object: a string for a field that came once, an array for one that came again.
fn headers(headers: &Headers) -> pg_sys::Datum {
    let mut object = ObjectBuilder::new();
    for (place, (name, value)) in headers.iter().enumerate() {
        let same = |(other, _): &(&str, &str)| other.eq_ignore_ascii_case(name);
        if headers.iter().take(place).any(|field| same(&field)) {
            continue;
        }
        if headers.iter().skip(place + 1).any(|field| same(&field)) {
            object.strings(name, headers.iter().filter(same).map(|(_, value)| value));
        } else {
            object.string(name, value);
        }
    }
    object.finish()
}
