//! Percent-encoding for SQL.

use engine::{Target, query};
use pgrx::pg_sys;

use crate::pg::SqlError;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::types::text;

sql_function!(_urlencode_string, pg_finfo__urlencode_string, urlencode_string);
sql_function!(_encode_url_with_params_array, pg_finfo__encode_url_with_params_array, encode_url_with_params_array);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

fn urlencode_string(call: &Call) -> Answer {
    Ok(call.text(0)?.map(|plain| text::datum(&query::encode(&plain))))
}

/// The parameters come as `key=value`, encoded already, and are appended as they are.
fn encode_url_with_params_array(call: &Call) -> Answer {
    let (Some(url), Some(parameters)) = (call.text(0)?, call.texts(1)?) else { return Ok(None) };
    let mut target = super::request::target(&url)?;
    let mut encoded = String::new();
    for parameter in parameters {
        if !encoded.is_empty() {
            encoded.push('&');
        }
        encoded.push_str(&parameter);
    }
    target.append_query(&encoded);
    Ok(Some(text::datum(Target::as_str(&target))))
}
