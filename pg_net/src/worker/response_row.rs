//! Outcomes as rows of the response table.

use std::ffi::CStr;
use std::net::SocketAddr;
use std::time::Duration;

use engine::method::Method;
use engine::{Content, Failure, FailureKind, Headers, Outcome, Phases, Target};

use super::claimed::Claimed;
use crate::pg::catalog::schema::{self, response};
use crate::pg::catalog::{own_tables, relation};
use crate::pg::spi::plan::Session;
use crate::pg::storage::bulk::Bulk;
use crate::pg::storage::table::Passing;
use crate::pg::types::array::{self, Array, Element};
use crate::pg::types::jsonb::ObjectBuilder;
use crate::pg::types::value::Value;
use crate::pg::types::{clock, text};

/// Stores many rows at once: an array a column.
pub(super) fn insert() -> &'static CStr {
    schema::insert_many("_http_response", &response::NAMES)
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
pub(super) type OutcomeRow = response::Row;

/// Makes rows of the outcomes of one batch. Servers repeat themselves: what an outcome has in common with the one before is not
/// made a second time.
#[derive(Default)]
pub(super) struct Rows<'a> {
    headers: Option<(&'a Headers, HeaderColumns)>,
    remote: Option<(SocketAddr, Value)>,
}

/// What the header fields of a response are in its row.
#[derive(Clone, Copy)]
struct HeaderColumns {
    content_type: Value,
    headers: Value,
}

impl<'a> Rows<'a> {
    /// What an outcome is as a row, in the memory context that is the current one for all of the batch.
    pub(super) fn row(&mut self, outcome: &'a Outcome, claimed: &Claimed) -> OutcomeRow {
        let trace = outcome.trace();
        let failure = outcome.result.as_ref().err();
        let response = outcome.result.as_ref().ok();
        let (content, content_bytes) = body(content(outcome));
        let headers = response.map(|response| self.headers(&response.headers));
        let detail = match &outcome.result {
            Ok(response) => response.detail.as_deref(),
            Err(failure) => failure.detail(),
        };
        let phase = |time: fn(&Phases) -> Duration| trace.map(|trace| milliseconds(time(&trace.phases)));
        OutcomeRow {
            id: Value::int8(claimed.id),
            status_code: Value::int4(response.map(|response| i32::from(response.status))),
            content_type: headers.map_or(Value::text(None::<&str>), |columns| columns.content_type),
            headers: headers.map_or(Value::null(Element::Jsonb.oid()), |columns| columns.headers),
            content,
            timed_out: Value::bool(failure.is_some_and(Failure::timed_out)),
            error_msg: Value::text(failure.map(sentence).as_deref()),
            content_bytes,
            requested_by: Value::oid(claimed.requested_by),
            method: Value::text(claimed.method.as_ref().map(Method::as_str)),
            url: Value::text(claimed.target.as_ref().map(Target::without_user_info).as_deref()),
            attempts: Value::int4(attempts(outcome, claimed)),
            elapsed_ms: Value::float4(trace.map(|_| milliseconds(outcome.elapsed))),
            dns_ms: Value::float4(phase(|phases| phases.dns)),
            handshake_ms: Value::float4(phase(|phases| phases.handshake)),
            exchange_ms: Value::float4(phase(|phases| phases.exchange)),
            redirects: Value::int4(trace.map(|trace| trace.redirects as i32)),
            remote_address: match trace.and_then(|trace| trace.remote) {
                Some(remote) => self.remote(remote),
                None => Value::text(None::<&str>),
            },
            protocol: Value::text(trace.and_then(|trace| trace.version)),
            error_kind: Value::text(failure.map(|failure| failure.kind().name())),
            error_detail: Value::text(detail),
        }
    }

    fn headers(&mut self, fields: &'a Headers) -> HeaderColumns {
        match self.headers {
            Some((same, columns)) if same == fields => columns,
            _ => {
                let content_type = Value::text(fields.get("content-type"));
                let columns = HeaderColumns { content_type, headers: object(fields) };
                self.headers = Some((fields, columns));
                columns
            }
        }
    }

    fn remote(&mut self, address: SocketAddr) -> Value {
        match self.remote {
            Some((same, value)) if same == address => value,
            _ => {
                let value = Value::text(&*address.to_string());
                self.remote = Some((address, value));
                value
            }
        }
    }
}

/// Attempts that were made: the claim counted one for what could not even be sent.
fn attempts(outcome: &Outcome, claimed: &Claimed) -> i32 {
    claimed.attempts - i32::from(!outcome.was_attempted())
}

/// Rows, an array a column.
pub(super) fn columns(rows: &[OutcomeRow]) -> [Value; response::COUNT] {
    let mut columns = response::ELEMENTS.map(|element| Array::with_capacity(element, rows.len()));
    for row in rows {
        for (column, value) in columns.iter_mut().zip(row.values()) {
            column.push(value);
        }
    }
    columns.map(Array::build)
}

/// Stores rows below the executor. False, and nothing is done, where that would not do what [`insert`] does, but for what is passed by.
pub(super) fn store_at_once(session: &Session, rows: &[OutcomeRow], passing: Passing) -> bool {
    let Some(table) = relation::relation_in_net(own_tables::RESPONSES) else { return false };
    let created = Value::timestamp(clock::transaction_start());
    let types: [_; response::COUNT + 1] =
        array::with(response::ELEMENTS.map(Element::oid), response::CREATED, created.of_type());
    let Some(mut bulk) = Bulk::open(session, table, types, &[response::CREATED], rows.len(), passing) else {
        return false;
    };
    for row in rows {
        bulk.push(array::with(row.values(), response::CREATED, created));
    }
    bulk.insert();
    true
}

fn milliseconds(time: Duration) -> f32 {
    (time.as_secs_f64() * 1000.0) as f32
}

/// The columns `content` and `content_bytes`: what the database's encoding cannot hold as text is kept as bytes.
fn body(content: Option<&Content>) -> (Value, Value) {
    let (plain, bytes) = match content {
        Some(Content::Empty) | None => (None, None),
        Some(Content::Bytes(bytes)) => (None, Some(&**bytes)),
        Some(Content::Text(plain)) => match text::to_server(plain) {
            Some(server) => (Some(server), None),
            None => (None, Some(plain.as_bytes())),
        },
    };
    (Value::server_text(plain.as_deref()), Value::bytea(bytes))
}

/// The sentence of a failure. If a setting is the limit that was met, the sentence names it.
fn sentence(failure: &Failure) -> String {
    match failure.kind() {
        FailureKind::TooLarge { .. } => format!("{failure} (pg_net.max_response_bytes)"),
        FailureKind::Memory { .. } => format!("{failure} (pg_net.max_in_flight_bytes)"),
        _ => failure.to_string(),
    }
}

/// The header fields as an object: a string for a field that came once, an array for one that came again.
fn object(headers: &Headers) -> Value {
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
    object.finish().value()
}
