//! Outcomes as rows of the response table.

use std::ffi::CStr;
use std::fmt::Write;
use std::time::Duration;

use engine::{Content, Headers, Outcome};
use pgrx::pg_sys;

use super::queue_row::Asked;
use crate::pg::array::{Array, Element};
use crate::pg::jsonb::ObjectBuilder;
use crate::pg::text;

/// Stores many rows at once: an array a column.
pub(super) const INSERT: &CStr = c"insert into net._http_response \
    (id, status_code, content_type, headers, content, timed_out, error_msg, content_bytes, requested_by, method, url, \
     attempts, elapsed_ms, dns_ms, handshake_ms, exchange_ms, redirects, remote_address, protocol, error_kind, \
     error_detail) \
    select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)";

/// The columns, each with the type of its elements, in the order of [`INSERT`].
const ELEMENTS: [Element; COLUMNS] = [
    Element::Int8,
    Element::Int4,
    Element::Text,
    Element::Jsonb,
    Element::Text,
    Element::Bool,
    Element::Text,
    Element::Bytea,
    Element::Oid,
    Element::Text,
    Element::Text,
    Element::Int4,
    Element::Float4,
    Element::Float4,
    Element::Float4,
    Element::Float4,
    Element::Int4,
    Element::Text,
    Element::Text,
    Element::Text,
    Element::Text,
];

pub(super) const COLUMNS: usize = 21;

/// The parameter types of [`INSERT`].
pub(super) fn types() -> [pg_sys::Oid; COLUMNS] {
    ELEMENTS.map(Element::array_type)
}

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
    columns: [Array; COLUMNS],
    empty: bool,
    /// Kept for its capacity.
    address: String,
}

impl Columns {
    pub(super) fn with_capacity(rows: usize) -> Self {
        let columns = ELEMENTS.map(|element| Array::with_capacity(element, rows));
        Self { columns, empty: true, address: String::new() }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.empty
    }

    /// Appends a row.
    pub(super) fn push(&mut self, outcome: &Outcome, asked: &Asked) {
        self.empty = false;
        let trace = outcome.trace();
        let remote = trace.and_then(|trace| trace.remote).map(|remote| {
            self.address.clear();
            // Writing to a string does not fail.
            let _ = write!(self.address, "{remote}");
            text::datum(&self.address)
        });
        let failure = outcome.result.as_ref().err();
        let response = outcome.result.as_ref().ok();
        let (content, content_bytes) = response.map_or((None, None), |response| body(&response.content));
        let row = [
            Some(asked.id.into()),
            response.map(|response| i32::from(response.status).into()),
            response.and_then(|response| response.headers.get("content-type")).map(text::datum),
            response.map(|response| headers(&response.headers)),
            content,
            Some(failure.is_some_and(engine::Failure::timed_out).into()),
            failure.map(|failure| text::datum(&failure.to_string())),
            content_bytes,
            Some(asked.by.into()),
            asked.method.as_ref().map(|method| text::datum(method.as_str())),
            asked.target.as_ref().map(|target| text::datum(&target.without_user_info())),
            Some(asked.attempts.into()),
            trace.map(|_| milliseconds(outcome.elapsed)),
            trace.map(|trace| milliseconds(trace.phases.dns)),
            trace.map(|trace| milliseconds(trace.phases.handshake)),
            trace.map(|trace| milliseconds(trace.phases.exchange)),
            trace.map(|trace| (trace.redirects as i32).into()),
            remote,
            trace.and_then(|trace| trace.version).map(text::datum),
            failure.map(|failure| text::datum(failure.kind().name())),
            failure.and_then(engine::Failure::detail).map(text::datum),
        ];
        for (column, value) in self.columns.iter_mut().zip(row) {
            column.push(value);
        }
    }

    /// The arguments of [`INSERT`].
    pub(super) fn build(self) -> [Option<pg_sys::Datum>; COLUMNS] {
        self.columns.map(|column| Some(column.build()))
    }
}

fn milliseconds(time: Duration) -> pg_sys::Datum {
    let milliseconds = (time.as_secs_f64() * 1000.0) as f32;
    pg_sys::Datum::from(milliseconds.to_bits())
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
