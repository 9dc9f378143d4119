use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Peers that sessions are kept of. Each session takes about 8 kB, since it has the peer's certificates: 8 MB in all.
const PEERS: usize = 128;
/// Sessions of one peer. A server gives two for each connection (TLS 1.3), and each is good for one.
const PER_PEER: usize = 8;

/// Sessions by peer, the newest last.
#[derive(Debug)]
pub(crate) struct Kept<S>(Mutex<HashMap<Arc<str>, VecDeque<Session<S>>>>);

#[derive(Debug)]
struct Session<S> {
    session: S,
    /// When the peer's certificate was verified.
    since: Instant,
    /// Whether it is good for any number of connections, as those of TLS 1.2 are. One of TLS 1.3 is used once, or those who
    /// listen could tell that two connections are of the same client (RFC 8446 §C.4).
    reusable: bool,
}

impl<S> Default for Kept<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S> Kept<S> {
    pub(crate) fn put(&self, peer: Arc<str>, session: S, since: Instant, reusable: bool) {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !peers.contains_key(&peer) && peers.len() >= PEERS {
            // Rare: only where very many are served.
            let oldest = peers.iter().min_by_key(|(_, sessions)| sessions.back().map(|session| session.since));
            if let Some(oldest) = oldest.map(|(peer, _)| peer.clone()) {
                peers.remove(&oldest);
            }
        }
        let sessions = peers.entry(peer).or_default();
        if reusable {
            sessions.clear();
        }
        if sessions.len() == PER_PEER {
            sessions.pop_front();
        }
        sessions.push_back(Session { session, since, reusable });
    }
}

impl<S: Clone> Kept<S> {
    /// The newest session with a peer, and when the peer's certificate was verified, if that is no longer ago than `within`.
    pub(crate) fn take(&self, peer: &str, now: Instant, within: Duration) -> Option<(S, Instant)> {
        let mut peers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sessions = peers.get_mut(peer)?;
        while let Some(Session { session, since, reusable }) = sessions.pop_back() {
            if now.saturating_duration_since(since) >= within {
                continue;
            }
            if reusable {
                sessions.push_back(Session { session: session.clone(), since, reusable });
            }
            return Some((session, since));
        }
        peers.remove(peer);
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Duration = Duration::from_secs(60);

    fn put(kept: &Kept<u32>, peer: &str, session: u32, since: Instant, reusable: bool) {
        kept.put(peer.into(), session, since, reusable);
    }

    #[test]
    fn a_session_that_is_good_once_is_taken_once_and_the_newest_first() {
        let (kept, now) = (Kept::default(), Instant::now());
        put(&kept, "a", 1, now, false);
        put(&kept, "a", 2, now, false);
        put(&kept, "b", 3, now, false);
        let taken = std::iter::from_fn(|| kept.take("a", now, WITHIN)).map(|(session, _)| session);
        assert_eq!(taken.collect::<Vec<_>>(), [2, 1]);
        assert_eq!(kept.take("b", now, WITHIN), Some((3, now)));
    }

    #[test]
    fn a_reusable_session_stays_until_there_is_a_newer_one() {
        let (kept, now) = (Kept::default(), Instant::now());
        put(&kept, "a", 1, now, true);
        assert_eq!(kept.take("a", now, WITHIN), Some((1, now)));
        assert_eq!(kept.take("a", now, WITHIN), Some((1, now)));
        put(&kept, "a", 2, now, true);
        assert_eq!(kept.take("a", now, WITHIN), Some((2, now)));
        assert_eq!(kept.0.lock().unwrap()["a"].len(), 1);
    }

    #[test]
    fn none_is_taken_whose_certificate_was_verified_long_ago() {
        let (kept, now) = (Kept::default(), Instant::now());
        put(&kept, "a", 1, now, false);
        put(&kept, "b", 2, now, true);
        assert_eq!(kept.take("a", now + WITHIN, WITHIN), None);
        assert_eq!(kept.take("b", now + WITHIN, WITHIN), None);
        assert!(kept.0.lock().unwrap().is_empty());
    }

    #[test]
    fn no_more_than_so_many() {
        let (kept, now) = (Kept::default(), Instant::now());
        for number in 0..1000 {
            let since = now + Duration::from_millis(number.into());
            put(&kept, &format!("peer {number}"), number, since, false);
            put(&kept, "busy", number, since, false);
        }
        assert_eq!(kept.0.lock().unwrap().len(), PEERS);
        assert_eq!(kept.take("peer 0", now, WITHIN), None);
        assert_eq!(kept.take("peer 999", now, WITHIN).map(|(session, _)| session), Some(999));
        assert_eq!(kept.0.lock().unwrap()["busy"].len(), PER_PEER);
    }
}
