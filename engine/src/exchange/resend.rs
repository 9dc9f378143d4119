//! Whether a request that got no reply is sent again, within the attempt that it belongs to.
//!
//! A server may close a connection at the moment at which it is used again, and an HTTP/2 server may say that it has not
//! processed a request. Neither is the request's failure.

use std::time::Duration;

use crate::transport::reply::Resend;

/// The pause before a refused request is sent again: the first one, and the longest of those that follow.
const FIRST_PAUSE: Duration = Duration::from_millis(1);
const LONGEST_PAUSE: Duration = Duration::from_millis(128);

/// How often a request was sent over one hop.
pub(crate) struct Sendings {
    at_most_once: bool,
    /// Whether it was sent again although it may have been processed.
    twice: bool,
    pause: Duration,
}

/// How a request is sent again.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Again {
    /// Whether on a new connection: those in the pool may have ended, too.
    pub(crate) anew: bool,
    /// After which pause.
    pub(crate) pause: Duration,
}

impl Sendings {
    pub(crate) fn new(at_most_once: bool) -> Self {
        Self { at_most_once, twice: false, pause: FIRST_PAUSE }
    }

    /// Whether and how it is sent again. `reused`: the connection was used before.
    ///
    /// What was not processed is sent again as often as there is time. What may have been processed is sent again
    /// once, with any method, as libcurl does: if the connection was used before and the request is to be delivered
    /// at least once.
    pub(crate) fn again(&mut self, resend: Resend, reused: bool) -> Option<Again> {
        let (anew, pause) = match resend {
            Resend::Unsent if reused => (true, Duration::ZERO),
            Resend::Ended if reused && !self.at_most_once && !self.twice => {
                self.twice = true;
                (true, Duration::ZERO)
            }
            Resend::Refused { for_now: true } => (false, self.next_pause()),
            Resend::Refused { for_now: false } => (false, Duration::ZERO),
            Resend::OverHttp1 { unprocessed } if unprocessed || !self.at_most_once => (false, Duration::ZERO),
            Resend::Unsent | Resend::OverHttp1 { .. } | Resend::Ended | Resend::Never => return None,
        };
        Some(Again { anew, pause })
    }

    fn next_pause(&mut self) -> Duration {
        let longer = (self.pause * 2).min(LONGEST_PAUSE);
        std::mem::replace(&mut self.pause, longer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT_ONCE: Duration = Duration::ZERO;

    fn first(resend: Resend, reused: bool, at_most_once: bool) -> Option<Again> {
        Sendings::new(at_most_once).again(resend, reused)
    }

    #[test]
    fn what_may_have_been_processed_is_sent_again_once_where_that_is_allowed() {
        for (reused, at_most_once) in [(false, false), (false, true), (true, true)] {
            assert_eq!(first(Resend::Ended, reused, at_most_once), None);
        }
        let mut sendings = Sendings::new(false);
        assert_eq!(sendings.again(Resend::Ended, true), Some(Again { anew: true, pause: AT_ONCE }));
        assert_eq!(sendings.again(Resend::Ended, true), None);
    }

    #[test]
    fn what_was_not_sent_goes_out_on_another_connection_unless_that_was_a_new_one() {
        for at_most_once in [false, true] {
            let again = Some(Again { anew: true, pause: AT_ONCE });
            assert_eq!(first(Resend::Unsent, true, at_most_once), again);
            assert_eq!(first(Resend::Unsent, false, at_most_once), None);
            assert_eq!(first(Resend::Never, true, at_most_once), None);
        }
    }

    #[test]
    fn what_was_refused_is_sent_again_however_often_after_pauses_that_grow() {
        for (reused, at_most_once) in [(false, false), (false, true), (true, false), (true, true)] {
            let mut sendings = Sendings::new(at_most_once);
            let mut pauses = (0..9).map(|_| sendings.again(Resend::Refused { for_now: true }, reused).unwrap().pause);
            assert_eq!(pauses.next(), Some(FIRST_PAUSE));
            assert_eq!(pauses.next(), Some(2 * FIRST_PAUSE));
            assert_eq!(pauses.last(), Some(LONGEST_PAUSE));
            let elsewhere = sendings.again(Resend::Refused { for_now: false }, reused);
            assert_eq!(elsewhere, Some(Again { anew: false, pause: AT_ONCE }));
        }
    }

    #[test]
    fn over_http_1_goes_what_may_be_sent_again() {
        let again = Some(Again { anew: false, pause: AT_ONCE });
        assert_eq!(first(Resend::OverHttp1 { unprocessed: true }, false, true), again);
        assert_eq!(first(Resend::OverHttp1 { unprocessed: false }, false, false), again);
        assert_eq!(first(Resend::OverHttp1 { unprocessed: false }, true, true), None);
    }
}
