//! How long a pause a server asks for (RFC 9110 §10.2.3).

use std::time::{Duration, SystemTime};

use httpdate::parse_http_date;

use crate::message::outcome::{Headers, Response};

/// The wait that `Retry-After` asks for, from the moment of the reply: a number of seconds, or a date in one of the
/// three formats of HTTP. None if there is no such field, or it is neither.
///
/// A date is read against the `Date` of the same reply, if there is one: both come from the clock of the server, so
/// that it does not matter how wrong that clock, or ours, is. `Date` is cut to whole seconds, which makes the wait
/// longer by as much, never shorter. Without `Date`, `now`, the local time, is used.
pub(crate) fn asked(headers: &Headers, now: SystemTime) -> Option<Duration> {
    let value = headers.get("retry-after")?.trim();
    if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) {
        // More digits than a number holds are a wait beyond any ceiling.
        return Some(Duration::from_secs(value.parse().unwrap_or(u64::MAX)));
    }
    let until = parse_http_date(value).ok()?;
    let from = headers.get("date").and_then(|date| parse_http_date(date.trim()).ok()).unwrap_or(now);
    Some(until.duration_since(from).unwrap_or_default())
}

/// How long a reply defers requests to its origin that have attempts left: a 429 or 503 speaks for the server, not
/// for the one request (RFC 6585 §4, RFC 9110 §15.6.4).
pub(crate) fn deferral(response: &Response, now: impl FnOnce() -> SystemTime, most: Duration) -> Option<Duration> {
    if !matches!(response.status, 429 | 503) {
        return None;
    }
    let wait = asked(&response.headers, now())?;
    Some(wait.min(most)).filter(|wait| !wait.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(fields: &[(&str, &str)]) -> Headers {
        let mut headers = Headers::default();
        for (name, value) in fields {
            headers.push(name.as_bytes(), value.as_bytes());
        }
        headers
    }

    /// Sun, 06 Nov 1994 08:49:37 GMT, the moment of RFC 9110's examples.
    fn moment() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777)
    }

    fn seconds(fields: &[(&str, &str)]) -> Option<u64> {
        asked(&headers(fields), moment()).map(|wait| wait.as_secs())
    }

    #[test]
    fn seconds_are_taken_as_they_are() {
        assert_eq!(seconds(&[("Retry-After", "120")]), Some(120));
        assert_eq!(seconds(&[("retry-after", " 0 ")]), Some(0));
        assert_eq!(seconds(&[("Retry-After", &"9".repeat(40))]), Some(u64::MAX));
    }

    #[test]
    fn a_date_may_have_any_of_the_three_formats() {
        for date in ["Sun, 06 Nov 1994 08:50:37 GMT", "Sunday, 06-Nov-94 08:50:37 GMT", "Sun Nov  6 08:50:37 1994"] {
            assert_eq!(seconds(&[("Retry-After", date)]), Some(60), "{date}");
        }
    }

    #[test]
    fn a_date_is_read_against_the_clock_of_the_server() {
        let fields = [("Date", "Mon, 01 Jan 2035 00:00:00 GMT"), ("Retry-After", "Mon, 01 Jan 2035 00:00:03 GMT")];
        assert_eq!(seconds(&fields), Some(3));
        assert_eq!(seconds(&[("Date", "today"), ("Retry-After", "Sun, 06 Nov 1994 08:49:40 GMT")]), Some(3));
        assert_eq!(seconds(&[("Retry-After", "Sun, 06 Nov 1994 08:49:00 GMT")]), Some(0), "it has passed");
    }

    #[test]
    fn what_is_neither_asks_for_nothing() {
        for value in ["", "soon", "-1", "+1", "1.5", "1, 2", "Sun, 06 Nov 1994"] {
            assert_eq!(seconds(&[("Retry-After", value)]), None, "{value}");
        }
        assert_eq!(seconds(&[]), None);
    }
}
