use percent_encoding::percent_decode_str;

use super::Request;

/// The decoded value of a key of the request's query.
pub(super) fn value(request: &Request, key: &str) -> Option<String> {
    let pairs = request.query()?.split('&').filter_map(|pair| pair.split_once('='));
    let (_, value) = pairs.into_iter().find(|(own, _)| *own == key)?;
    Some(percent_decode_str(value).decode_utf8_lossy().into_owned())
}

/// The same as a number, 0 where it is missing or none.
pub(super) fn number(request: &Request, key: &str) -> u64 {
    value(request, key).and_then(|value| value.parse().ok()).unwrap_or(0)
}
