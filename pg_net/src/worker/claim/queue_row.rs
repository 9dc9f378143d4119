//! A row of the queue, as a claim reads it, and the request that it asks for.

use std::borrow::Cow;
use std::time::Duration;

use bytes::Bytes;
use engine::method;
use engine::{Failure, Key, LastTarget, Request, Target, Tenant};
use pgrx::pg_sys;

use crate::pg::spi::plan::Row;
use crate::pg::types::clock::Timestamp;
use crate::pg::types::text;
use crate::settings;
use crate::worker::claimed::Claimed;

/// A statement that gives queue rows.
macro_rules! select {
    ($condition:literal) => {
        const {
            let statement = concat!(
                "select row_key, id, requested_by, method::text, url, headers, body, timeout_milliseconds, \
                        delivery = 'at_most_once', max_attempts, attempts, due, idempotency_key, made_in \
                 from net.http_request_queue ",
                $condition,
                "\0"
            );
            match std::ffi::CStr::from_bytes_with_nul(statement.as_bytes()) {
                Ok(statement) => statement,
                Err(_) => panic!("a statement holds no NUL"),
            }
        }
    };
}
pub(in crate::worker) use select;

/// A row as the statements of [`select`] give it.
pub(in crate::worker) struct QueueRow<'s>(Row<'s, 14>);

impl<'s> QueueRow<'s> {
    pub(in crate::worker) fn new(row: Row<'s, 14>) -> Self {
        Self(row)
    }

    pub(in crate::worker) fn key(&self) -> Key {
        self.0.int8(0).unwrap_or_default()
    }

    /// The stamp of the database in which it was made.
    pub(in crate::worker) fn made_in(&self) -> Option<i64> {
        self.0.int8(13)
    }

    /// When it may be sent, if not at once.
    pub(in crate::worker) fn due(&self) -> Option<Timestamp> {
        self.0.timestamp(11)
    }

    /// Bytes that its body and headers take in memory.
    pub(in crate::worker) fn size(&self) -> usize {
        self.0.size(5) + self.0.size(6)
    }

    pub(in crate::worker) fn target(&self, targets: &mut LastTarget) -> Result<Target, Failure> {
        self.check_size()?;
        let url = self.string(4)?;
        targets.parse(&url).map_err(|error| Failure::invalid(error.to_string()))
    }

    /// Looks before anything is read: what is too large must not be brought into memory first.
    fn check_size(&self) -> Result<(), Failure> {
        let most = settings::max_request_bytes();
        if [4, 5, 6].into_iter().map(|column| self.0.size(column)).sum::<usize>() <= most {
            return Ok(());
        }
        Err(Failure::invalid(format!("Request is larger than {most} bytes (pg_net.max_request_bytes)")))
    }

    pub(in crate::worker) fn requested_by(&self) -> Option<pg_sys::Oid> {
        self.0.oid(2)
    }

    pub(in crate::worker) fn tenant(&self) -> Tenant {
        self.requested_by().unwrap_or_default().to_u32()
    }

    pub(in crate::worker) fn claimed(&self, target: Option<&Target>) -> Claimed {
        Claimed {
            id: self.0.int8(1).unwrap_or_default(),
            requested_by: self.requested_by(),
            method: self.string(3).ok().and_then(|method| method::parse(&method)),
            target: target.cloned(),
            at_most_once: self.is_at_most_once(),
            max_attempts: self.0.int4(9).unwrap_or(1),
            attempts: self.0.int4(10).unwrap_or_default().saturating_add(1),
        }
    }

    fn is_at_most_once(&self) -> bool {
        self.0.bool(8).unwrap_or_default()
    }

    /// Whether it has attempts left, and waits where its origin asks to be left alone. What has left the queue could not go back.
    pub(in crate::worker) fn is_patient(&self) -> bool {
        self.0.int4(9).is_some_and(|max_attempts| max_attempts > 1) && !self.is_at_most_once()
    }

    pub(in crate::worker) fn request(&self, target: Target) -> Result<Request, Failure> {
        let method = self.string(3)?;
        if self.size() > settings::max_in_flight_bytes() {
            return Err(Failure::invalid(format!(
                "Request of {} bytes is larger than pg_net.max_in_flight_bytes allows",
                self.size()
            )));
        }
        let body = self.0.bytes(6).map(Bytes::copy_from_slice).unwrap_or_default();
        let mut request = Request::new(self.key(), &method, target, body, self.timeout()?)?;
        if let Some(headers) = self.0.jsonb(5) {
            if !headers.is_object() {
                return Err(Failure::invalid("headers must be a JSON object"));
            }
            headers.each(|name, value| match value {
                Some(value) => request.push_header(name, value).map_err(Wrong::Field),
                None => Ok(()),
            })?;
        }
        if self.0.bytes(12).is_some() && !request.has_header(IDEMPOTENCY_KEY) {
            request.push_header(IDEMPOTENCY_KEY, &self.string(12)?)?;
        }
        if self.is_patient() {
            request.set_patient();
        }
        if self.is_at_most_once() {
            request.send_at_most_once();
        }
        Ok(request)
    }

    fn timeout(&self) -> Result<Duration, Failure> {
        let (most, timeout) = (settings::max_timeout_ms(), self.0.int4(7).unwrap_or_default());
        if (1..=most).contains(&timeout) {
            return Ok(Duration::from_millis(timeout.unsigned_abs().into()));
        }
        Err(Failure::invalid(format!(
            "timeout_milliseconds must be between 1 and {most} (pg_net.max_timeout_ms), got {timeout}"
        )))
    }

    /// A text column; empty where it is null, which the table admits for none that must be there.
    fn string(&self, column: usize) -> Result<Cow<'s, str>, Failure> {
        let bytes = self.0.bytes(column).unwrap_or_default();
        text::from_server(bytes).map_err(|error| Failure::invalid(error.message()))
    }
}

/// The header by which a receiver knows a request that it has had before.
const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// What can be wrong with a row's headers.
enum Wrong {
    Field(Failure),
    Text(crate::pg::SqlError),
}

impl From<crate::pg::SqlError> for Wrong {
    fn from(error: crate::pg::SqlError) -> Self {
        Self::Text(error)
    }
}

impl From<Wrong> for Failure {
    fn from(wrong: Wrong) -> Self {
        match wrong {
            Wrong::Field(failure) => failure,
            Wrong::Text(error) => Self::invalid(error.message()),
        }
    }
}
