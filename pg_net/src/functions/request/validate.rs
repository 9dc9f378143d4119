//! What callers give, checked before it is queued, as far as without it no request could be made. What else is wrong with a
//! request is its outcome: it must not roll back the transaction that it is a part of.

use std::borrow::Cow;

use engine::method::{self, Method};
use engine::query;
use pgrx::PgSqlErrorCode;

use super::enqueue::Terms;
use crate::pg::SqlError;
use crate::pg::types::jsonb::{Jsonb, ObjectBuilder};
use crate::pg::types::value::Value;
use crate::pg::types::{clock, random};

/// The label of `net.delivery` for a request that is taken out of the queue before it is sent.
pub(in crate::functions) const AT_MOST_ONCE: &str = "at_most_once";

/// The most attempts that a request may have: more would take years.
const MOST_ATTEMPTS: i32 = 1000;

const IDEMPOTENCY_KEY: &str = "Idempotency-Key";

/// What a body is, where its request's headers do not say.
#[derive(Clone, Copy)]
pub(in crate::functions) enum ContentType {
    Json,
    Text,
}

impl ContentType {
    const NAME: &str = "Content-Type";

    fn value(self) -> &'static str {
        match self {
            Self::Json => "application/json",
            Self::Text => "text/plain; charset=utf-8",
        }
    }
}

pub(in crate::functions) fn null_in(column: &str) -> SqlError {
    SqlError::new(PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION, format!("null value in column \"{column}\""))
        .hint(format!("{column} must not be null."))
}

pub(in crate::functions) fn method(text: &str) -> Result<Method, SqlError> {
    method::parse(text).filter(|method| method.as_str().len() <= 64).ok_or_else(|| {
        let shown: String = text.escape_debug().take(100).collect();
        SqlError::invalid(format!("unsupported request method \"{shown}\""))
            .hint("A method is a word such as GET or PURGE, of at most 64 characters; CONNECT is not sent.")
    })
}

/// The parameters as a query.
pub(in crate::functions) fn params(params: Jsonb) -> Result<String, SqlError> {
    if !params.is_object() && !params.is_null() {
        return Err(SqlError::invalid("params must be a JSON object"));
    }
    let mut encoded = String::new();
    params.each(|key, value| {
        if let Some(value) = value {
            query::push_pair(&mut encoded, key, value);
        }
        Ok::<_, SqlError>(())
    })?;
    Ok(encoded)
}

/// The headers, with the content type where they name none.
pub(in crate::functions) fn headers(
    headers: Option<Jsonb>,
    content_type: Option<ContentType>,
) -> Result<Option<Value>, SqlError> {
    let given = headers.filter(|headers| !headers.is_null());
    if given.is_some_and(|headers| !headers.is_object()) {
        return Err(SqlError::invalid("headers must be a JSON object"));
    }
    let Some(content_type) =
        content_type.filter(|_| !given.is_some_and(|headers| headers.has_value(ContentType::NAME)))
    else {
        return Ok(given.map(Jsonb::value));
    };
    let mut default = ObjectBuilder::new();
    default.string(ContentType::NAME, content_type.value());
    let default = default.finish();
    Ok(Some(given.map_or(default.value(), |headers| headers.joined_with(default))))
}

/// Checks the terms of delivery. A POST or PATCH that may be tried again gets a key by which its receiver can tell, unless
/// it has one.
pub(in crate::functions) fn terms<'a>(
    terms: Terms<'a>,
    at_most_once: bool,
    method: &Method,
    headers: Option<Jsonb>,
) -> Result<Terms<'a>, SqlError> {
    let Terms { max_attempts, delivery, mut not_before, mut idempotency_key } = terms;
    if !(1..=MOST_ATTEMPTS).contains(&max_attempts) {
        return Err(SqlError::invalid(format!(
            "max_attempts must be from 1 to {MOST_ATTEMPTS}, but is {max_attempts}"
        )));
    }
    if at_most_once && max_attempts > 1 {
        return Err(SqlError::invalid(format!(
            "a request that is sent at most once cannot have {max_attempts} attempts"
        ))
        .hint("Leave max_attempts at 1, or delivery at 'at_least_once'."));
    }
    if max_attempts > 1 && [Method::POST, Method::PATCH].contains(method) && idempotency_key.is_none() {
        let named = headers.is_some_and(|headers| headers.has_value(IDEMPOTENCY_KEY));
        idempotency_key = (!named).then(|| Cow::Owned(random::uuid()));
    }
    not_before = not_before.filter(|&time| time > clock::now());
    Ok(Terms { max_attempts, delivery, not_before, idempotency_key })
}
