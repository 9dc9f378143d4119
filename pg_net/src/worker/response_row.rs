//! Outcomes as rows of the response table.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::time::Duration;

use engine::{Content, Headers, Outcome};
use pgrx::pg_sys;

use super::claimed::Claimed;
use crate::pg::catalog::own_tables;
use crate::pg::catalog::relation;
use crate::pg::spi::plan::Session;
use crate::pg::storage::bulk::Bulk;
use crate::pg::storage::table::Passing;
use crate::pg::types::array::{self, Array, Element};
use crate::pg::types::jsonb::ObjectBuilder;
use crate::pg::types::{clock, text};

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

fn element_types() -> [pg_sys::Oid; COLUMNS] {
    ELEMENTS.map(Element::oid)
}

/// Bytes of the body that came.
pub(super) fn body_length(outcome: &Outcome) -> usize {
    match content(outcome) {
        Some(Content::Text(text)) => text.len(),
        Some(Content::Bytes(bytes)) => bytes.len(),
        Some(Content::Empty) | None => 0,
    }
}

/// The body, or what came of it before a failure.
fn content(outcome: &Outcome) -> Option<&Content> {
    match &outcome.result {
        Ok(response) => Some(&response.content),
        Err(failure) => failure.partial(),
    }
}

/// A row of the response table, but for its `created`, in the current memory context.
pub(super) type OutcomeRow = [Option<pg_sys::Datum>; COLUMNS];

/// Makes rows of the outcomes of one batch. Servers repeat themselves: what an outcome has in common with the one before is not
/// made a second time.
#[derive(Default)]
pub(super) struct Rows<'a> {
    headers: Option<(&'a Headers, HeaderColumns)>,
    remote: Option<(SocketAddr, pg_sys::Datum)>,
}

/// What the header fields of a response are in its row.
#[derive(Clone, Copy)]
struct HeaderColumns {
    content_type: Option<pg_sys::Datum>,
    headers: pg_sys::Datum,
}

impl<'a> Rows<'a> {
    /// What an outcome is as a row, in the memory context that is the current one for all of the batch.
    pub(super) fn row(&mut self, outcome: &'a Outcome, claimed: &Claimed) -> OutcomeRow {
        let trace = outcome.trace();
        let failure = outcome.result.as_ref().err();
        let response = outcome.result.as_ref().ok();
        let (plain, bytes) = content(outcome).map_or((None, None), body);
        let headers = response.map(|response| self.headers(&response.headers));
        [
            Some(claimed.id.into()),
            response.map(|response| i32::from(response.status).into()),
            headers.and_then(|columns| columns.content_type),
            headers.map(|columns| columns.headers),
            plain,
            Some(failure.is_some_and(engine::Failure::timed_out).into()),
            failure.map(|failure| text::datum(&failure.to_string())),
            bytes,
            claimed.requested_by.map(pg_sys::Datum::from),
            claimed.method.as_ref().map(|method| text::datum(method.as_str())),
            claimed.target.as_ref().map(|target| text::datum(&target.without_user_info())),
            Some(attempts(outcome, claimed).into()),
            trace.map(|_| milliseconds(outcome.elapsed)),
            trace.map(|trace| milliseconds(trace.phases.dns)),
            trace.map(|trace| milliseconds(trace.phases.handshake)),
            trace.map(|trace| milliseconds(trace.phases.exchange)),
            trace.map(|trace| (trace.redirects as i32).into()),
            trace.and_then(|trace| trace.remote).map(|remote| self.remote(remote)),
            trace.and_then(|trace| trace.version).map(text::datum),
            failure.map(|failure| text::datum(failure.kind().name())),
            match &outcome.result {
                Ok(response) => response.detail.as_deref(),
                Err(failure) => failure.detail(),
            }
            .map(text::datum),
        ]
    }

    fn headers(&mut self, fields: &'a Headers) -> HeaderColumns {
        match self.headers {
            Some((same, columns)) if same == fields => columns,
            _ => {
                let content_type = fields.get("content-type").map(text::datum);
                let columns = HeaderColumns { content_type, headers: object(fields) };
                self.headers = Some((fields, columns));
                columns
            }
        }
    }

    fn remote(&mut self, address: SocketAddr) -> pg_sys::Datum {
        match self.remote {
            Some((same, datum)) if same == address => datum,
            _ => {
                let datum = text::datum(&address.to_string());
                self.remote = Some((address, datum));
                datum
            }
        }
    }
}

/// Attempts that were made: the claim counted one for what could not even be sent.
fn attempts(outcome: &Outcome, claimed: &Claimed) -> i32 {
    claimed.attempts - i32::from(!outcome.was_attempted())
}

/// Rows, an array a column.
pub(super) fn columns(rows: &[OutcomeRow]) -> [Option<pg_sys::Datum>; COLUMNS] {
    let mut columns = ELEMENTS.map(|element| Array::with_capacity(element, rows.len()));
    for row in rows {
        for (column, &value) in columns.iter_mut().zip(row) {
            column.push(value);
        }
    }
    columns.map(|column| Some(column.build()))
}

/// Where `created` stands among the columns.
const CREATED: usize = 7;

/// Stores rows below the executor. False, and nothing is done, where that would not do what [`INSERT`] does, but for what is passed by.
pub(super) fn store_at_once(session: &Session, rows: &[OutcomeRow], passing: Passing) -> bool {
    let Some(table) = relation::relation_in_net(own_tables::RESPONSES) else { return false };
    let types: [_; COLUMNS + 1] = array::with(element_types(), CREATED, pg_sys::TIMESTAMPTZOID);
    let Some(mut bulk) = Bulk::open(session, table, types, &[CREATED], rows.len(), passing) else { return false };
    let created = Some(clock::transaction_start().into());
    for &row in rows {
        bulk.push(array::with(row, CREATED, created));
    }
    bulk.insert();
    true
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
fn object(headers: &Headers) -> pg_sys::Datum {
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
