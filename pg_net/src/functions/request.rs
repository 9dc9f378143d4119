//! The request functions: arguments in, a checked row out.

use std::cell::RefCell;

use engine::{LastTarget, Target, header, query};
use pgrx::{PgSqlErrorCode, pg_sys};

use super::enqueue::{self, Row};
use crate::pg::SqlError;
use crate::pg::call::{Call, sql_function};
use crate::pg::jsonb::{Jsonb, ObjectBuilder};

sql_function!(http_get, pg_finfo_http_get, get);
sql_function!(http_post, pg_finfo_http_post, post);
sql_function!(http_delete, pg_finfo_http_delete, delete);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

fn get(call: &Call) -> Answer {
    enqueue(
        "GET",
        Arguments {
            url: call.text(0)?.as_deref(),
            params: call.jsonb(1),
            headers: call.jsonb(2),
            timeout: call.int4(3),
            body: None,
        },
    )
}

fn post(call: &Call) -> Answer {
    enqueue(
        "POST",
        Arguments {
            url: call.text(0)?.as_deref(),
            body: call.jsonb(1),
            params: call.jsonb(2),
            headers: call.jsonb(3),
            timeout: call.int4(4),
        },
    )
}

fn delete(call: &Call) -> Answer {
    enqueue(
        "DELETE",
        Arguments {
            url: call.text(0)?.as_deref(),
            params: call.jsonb(1),
            headers: call.jsonb(2),
            timeout: call.int4(3),
            body: call.jsonb(4),
        },
    )
}

struct Arguments<'a> {
    url: Option<&'a str>,
    params: Option<Jsonb<'a>>,
    headers: Option<Jsonb<'a>>,
    body: Option<Jsonb<'a>>,
    timeout: Option<i32>,
}

fn enqueue(method: &'static str, arguments: Arguments) -> Answer {
    let url = arguments.url.ok_or_else(|| null_in("url"))?;
    let mut target = target(url)?;
    if let Some(params) = arguments.params {
        target.append_query(&encode_params(params)?);
    }
    let timeout = arguments.timeout.ok_or_else(|| null_in("timeout_milliseconds"))?;
    if timeout <= 0 {
        return Err(SqlError::invalid(format!("timeout_milliseconds must be above 0, but is {timeout}")));
    }
    let headers = check_headers(arguments.headers, method == "POST")?;
    let body = arguments.body.map(Jsonb::to_text).transpose()?;
    let id = enqueue::insert(Row {
        method,
        url: target.as_str(),
        headers,
        body: body.as_deref().map(str::as_bytes),
        timeout_milliseconds: timeout,
    })?;
    Ok(Some(id.into()))
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

fn null_in(column: &str) -> SqlError {
    SqlError::new(PgSqlErrorCode::ERRCODE_NOT_NULL_VIOLATION, format!("null value in column \"{column}\""))
        .hint(format!("{column} must not be null."))
}

fn encode_params(params: Jsonb) -> Result<String, SqlError> {
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

/// Checks headers, and adds the content type of JSON where they name none and `json` says so.
fn check_headers(headers: Option<Jsonb>, json: bool) -> Result<Option<pg_sys::Datum>, SqlError> {
    const CONTENT_TYPE: (&str, &str) = ("Content-Type", "application/json");
    let mut names_type = false;
    if let Some(headers) = headers {
        if !headers.is_object() && !headers.is_null() {
            return Err(SqlError::invalid("headers must be a JSON object"));
        }
        headers.each(|name, value| {
            let Some(value) = value else { return Ok(()) };
            names_type |= name.eq_ignore_ascii_case(CONTENT_TYPE.0);
            header::check(name, value).map_err(|error| SqlError::invalid(error.to_string()))
        })?;
    }
    if !json || names_type {
        return Ok(headers.filter(|headers| !headers.is_null()).map(Jsonb::datum));
    }
    let mut with_type = ObjectBuilder::new();
    if let Some(headers) = headers {
        headers.each(|name, value| {
            if let Some(value) = value {
                with_type.string(name, value);
            }
            Ok::<_, SqlError>(())
        })?;
    }
    with_type.string(CONTENT_TYPE.0, CONTENT_TYPE.1);
    Ok(Some(with_type.finish()))
}
