use std::time::SystemTime;

/// Microseconds since 1970, on the clock that Postgres and the receiver have too.
pub(crate) type Moment = i64;

/// Now.
pub(crate) fn now() -> Moment {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("a clock after 1970");
    since.as_micros() as Moment
}
