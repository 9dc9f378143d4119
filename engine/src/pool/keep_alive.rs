//! How long an unused HTTP/1.1 connection may be kept.

use std::time::Duration;

use crate::message::outcome::Headers;

/// How much earlier than the server we stop using a connection. A request that is sent just before then has that much
/// time to arrive, and the clock of the server may have started that much before ours.
const MARGIN: Duration = Duration::from_secs(1);

/// How long the server lets the connection be idle, by the `Keep-Alive: timeout=` of its reply (RFC 2068 §19.7.1.1, which
/// servers still go by), less a margin: a second, or half of a time that is below two.
pub(crate) fn hinted(headers: &Headers) -> Option<Duration> {
    let parameters = headers.get("keep-alive")?.split(',');
    let timeout = parameters.filter_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim().trim_matches('"').parse::<u32>();
        value.ok().filter(|_| name.trim().eq_ignore_ascii_case("timeout"))
    });
    let timeout = Duration::from_secs(timeout.min()?.into());
    Some(timeout - MARGIN.min(timeout / 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint(value: &str) -> Option<Duration> {
        let mut headers = Headers::default();
        headers.push(b"Keep-Alive", value.as_bytes());
        hinted(&headers)
    }

    #[test]
    fn a_hint_less_its_margin() {
        for (value, milliseconds) in [
            ("timeout=5", 4000),
            ("timeout=5, max=1000", 4000),
            ("max=100,Timeout = 65", 64_000),
            ("timeout=\"2\"", 1000),
            ("timeout=1", 500),
            ("timeout=0", 0),
            ("timeout=9, timeout=7", 6000),
        ] {
            assert_eq!(hint(value), Some(Duration::from_millis(milliseconds)), "{value}");
        }
    }

    #[test]
    fn what_is_no_hint() {
        for value in
            ["", "max=5", "timeout", "timeout=", "timeout=-1", "timeout=soon", "timeout=99999999999", "xtimeout=5"]
        {
            assert_eq!(hint(value), None, "{value}");
        }
        assert_eq!(hinted(&Headers::default()), None);
    }
}
