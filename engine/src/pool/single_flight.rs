use std::cell::Cell;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{Mutex, OwnedMutexGuard};

/// How long it is remembered that a server takes only so many streams on one connection.
const LIFETIME_KNOWN: Duration = Duration::from_secs(10);
/// How long it is remembered that a server asked for HTTP/1.1.
const HTTP1_WANTED: Duration = Duration::from_secs(60 * 60);

/// Lets one request at a time open a connection to an https origin, until it is known that its connections are not
/// shared. Of many requests to an origin that speaks HTTP/2, one opens a connection and the others get a share in it.
#[derive(Default)]
pub(crate) struct SingleFlight {
    slots: Arc<Mutex<()>>,
    exclusive: Cell<bool>,
    /// How many streams a connection carries in its life, and until when this is taken for granted.
    lifetime: Cell<Option<(usize, Instant)>>,
    http1_until: Cell<Option<Instant>>,
}

impl SingleFlight {
    /// Waits until no other request is opening a connection.
    pub(crate) async fn turn(&self) -> OwnedMutexGuard<()> {
        self.slots.clone().lock_owned().await
    }

    /// Whether each request needs its own connection, so that there is no point in waiting.
    pub(crate) fn is_exclusive(&self, now: Instant) -> bool {
        self.exclusive.get() || self.wants_http1(now) || self.lifetime(now) == Some(1)
    }

    /// Notes whether the opened connection can be shared.
    pub(crate) fn learn(&self, shared: bool) {
        self.exclusive.set(!shared);
    }

    /// Notes that a server has processed so many streams of a connection and turned away those that came with them,
    /// so that the next connection is not given more.
    pub(crate) fn learn_lifetime(&self, streams: usize, now: Instant) {
        self.lifetime.set(Some((streams.max(1), now + LIFETIME_KNOWN)));
    }

    pub(crate) fn lifetime(&self, now: Instant) -> Option<usize> {
        self.lifetime.get().filter(|(_, until)| now < *until).map(|(streams, _)| streams)
    }

    /// Notes that the server asked for HTTP/1.1.
    pub(crate) fn want_http1(&self, now: Instant) {
        self.http1_until.set(Some(now + HTTP1_WANTED));
    }

    pub(crate) fn wants_http1(&self, now: Instant) -> bool {
        self.http1_until.get().is_some_and(|until| now < until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_wants_is_remembered_for_a_while() {
        let single_flight = SingleFlight::default();
        let now = Instant::now();
        assert!(!single_flight.wants_http1(now) && !single_flight.is_exclusive(now));
        single_flight.want_http1(now);
        let last = now + HTTP1_WANTED - Duration::from_secs(1);
        assert!(single_flight.wants_http1(last) && single_flight.is_exclusive(last));
        assert!(!single_flight.wants_http1(now + HTTP1_WANTED) && !single_flight.is_exclusive(now + HTTP1_WANTED));
    }

    #[test]
    fn how_much_a_connection_carries_is_remembered_for_a_while() {
        let single_flight = SingleFlight::default();
        let now = Instant::now();
        single_flight.learn_lifetime(100, now);
        assert_eq!((single_flight.lifetime(now), single_flight.is_exclusive(now)), (Some(100), false));
        single_flight.learn_lifetime(0, now);
        assert_eq!((single_flight.lifetime(now), single_flight.is_exclusive(now)), (Some(1), true));
        assert_eq!(single_flight.lifetime(now + LIFETIME_KNOWN), None);
    }
}
