//! The request functions: arguments in, a checked row out.

use std::cell::RefCell;

use engine::{LastTarget, Target};
use pgrx::pg_sys;

use crate::pg::SqlError;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::types::jsonb::Jsonb;

pub(crate) mod caller;
pub(super) mod enqueue;
pub(super) mod insert;
pub(super) mod row_key_hint;
pub(super) mod validate;

use enqueue::{Row, Terms};
use validate::ContentType;

sql_function!(http_get, pg_finfo_http_get, get);
sql_function!(http_head, pg_finfo_http_head, head);
sql_function!(http_post, pg_finfo_http_post, post);
sql_function!(http_put, pg_finfo_http_put, put);
sql_function!(http_patch, pg_finfo_http_patch, patch);
sql_function!(http_delete, pg_finfo_http_delete, delete);
sql_function!(http_request_bytes, pg_finfo_http_request_bytes, request_with_bytes);
sql_function!(http_request_text, pg_finfo_http_request_text, request_with_text);
sql_function!(http_request_jsonb, pg_finfo_http_request_jsonb, request_with_jsonb);
sql_function!(http_request_json, pg_finfo_http_request_json, request_with_json);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

fn get(call: &Call) -> Answer {
    without_body("GET", call)
}

fn head(call: &Call) -> Answer {
    without_body("HEAD", call)
}

fn post(call: &Call) -> Answer {
    with_json("POST", call)
}

fn put(call: &Call) -> Answer {
    with_json("PUT", call)
}

fn patch(call: &Call) -> Answer {
    with_json("PATCH", call)
}

fn without_body(method: &str, call: &Call) -> Answer {
    enqueue(Arguments {
        caller: caller::of(call),
        method,
        url: call.text(0)?.as_deref(),
        params: call.jsonb(1),
        headers: call.jsonb(2),
        content_type: None,
        timeout: call.int4(3),
        body: None,
        terms: None,
    })
}

fn with_json(method: &str, call: &Call) -> Answer {
    let body = call.jsonb(1).map(Jsonb::to_text).transpose()?;
    enqueue(Arguments {
        caller: caller::of(call),
        method,
        url: call.text(0)?.as_deref(),
        body: body.as_deref().map(str::as_bytes),
        params: call.jsonb(2),
        headers: call.jsonb(3),
        content_type: Some(ContentType::Json),
        timeout: call.int4(4),
        terms: None,
    })
}

fn delete(call: &Call) -> Answer {
    let body = call.jsonb(4).map(Jsonb::to_text).transpose()?;
    enqueue(Arguments {
        caller: caller::of(call),
        method: "DELETE",
        url: call.text(0)?.as_deref(),
        params: call.jsonb(1),
        headers: call.jsonb(2),
        content_type: None,
        timeout: call.int4(3),
        body: body.as_deref().map(str::as_bytes),
        terms: None,
    })
}

fn request_with_bytes(call: &Call) -> Answer {
    request(call, call.bytes(2), None)
}

fn request_with_text(call: &Call) -> Answer {
    request(call, call.text(2)?.as_deref().map(str::as_bytes), Some(ContentType::Text))
}

fn request_with_jsonb(call: &Call) -> Answer {
    let body = call.jsonb(2).map(Jsonb::to_text).transpose()?;
    request(call, body.as_deref().map(str::as_bytes), Some(ContentType::Json))
}

fn request_with_json(call: &Call) -> Answer {
    request(call, call.text(2)?.as_deref().map(str::as_bytes), Some(ContentType::Json))
}

fn request(call: &Call, body: Option<&[u8]>, content_type: Option<ContentType>) -> Answer {
    let method = call.text(0)?.ok_or_else(|| validate::null_in("method"))?;
    let method = validate::method(&method)?;
    let headers = call.jsonb(4);
    let terms = Terms {
        max_attempts: call.int4(6).ok_or_else(|| validate::null_in("max_attempts"))?,
        delivery: call.enum_label(7).ok_or_else(|| validate::null_in("delivery"))?,
        not_before: call.timestamp(8),
        idempotency_key: call.text(9)?,
    };
    let at_most_once = call.label(7).as_deref() == Some(validate::AT_MOST_ONCE);
    enqueue(Arguments {
        caller: caller::of(call),
        method: method.as_str(),
        url: call.text(1)?.as_deref(),
        params: call.jsonb(3),
        headers,
        content_type: body.and(content_type),
        timeout: call.int4(5),
        body,
        terms: Some(validate::terms(terms, at_most_once, &method, headers)?),
    })
}

struct Arguments<'a> {
    caller: pg_sys::Oid,
    method: &'a str,
    url: Option<&'a str>,
    params: Option<Jsonb<'a>>,
    headers: Option<Jsonb<'a>>,
    /// What is added where the headers name none.
    content_type: Option<ContentType>,
    body: Option<&'a [u8]>,
    timeout: Option<i32>,
    /// Other terms of delivery than the usual ones.
    terms: Option<Terms<'a>>,
}

fn enqueue(arguments: Arguments) -> Answer {
    let url = arguments.url.ok_or_else(|| validate::null_in("url"))?;
    let mut target = target(url)?;
    if let Some(params) = arguments.params {
        target.append_query(&validate::params(params)?);
    }
    let id = enqueue::insert(Row {
        caller: arguments.caller,
        method: arguments.method,
        url: target.as_str(),
        headers: validate::headers(arguments.headers, arguments.content_type)?,
        body: arguments.body,
        timeout_milliseconds: arguments.timeout.ok_or_else(|| validate::null_in("timeout_milliseconds"))?,
        terms: arguments.terms,
    })?;
    Ok(id.map(pg_sys::Datum::from))
}

thread_local! {
    static LAST_TARGET: RefCell<LastTarget> = RefCell::default();
}

/// Checks a URL that a caller gave.
pub(super) fn target(url: &str) -> Result<Target, SqlError> {
    LAST_TARGET.with_borrow_mut(|last| last.parse(url)).map_err(|error| {
        SqlError::invalid(error.to_string())
            .hint("A URL needs a scheme, http or https, and a host: https://example.com/path")
    })
}
