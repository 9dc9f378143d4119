//! The memory that bodies may take, in bytes. All requests share it.
//!
//! The bodies of requests and small replies are only counted. A large reply is read only as far as there is room,
//! which makes its server wait. So that replies cannot all wait for each other, one of those that wait is *favoured*:
//! it may always go on, until the host has dropped it. And the replies of one origin get half of the whole at most.

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

use crate::address::origin::Origin;

#[derive(Debug)]
pub(crate) struct Budget(Mutex<State>);

#[derive(Debug)]
struct State {
    limit: usize,
    used: usize,
    by_origin: HashMap<Origin, usize>,
    favoured: Option<u64>,
    last_number: u64,
    waiting: Vec<Waker>,
}

/// What one reply takes of the budget, until it is dropped.
#[derive(Debug)]
pub(crate) struct Reservation {
    budget: Arc<Budget>,
    origin: Origin,
    number: u64,
    bytes: usize,
}

impl Budget {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        let state =
            State { limit, used: 0, by_origin: HashMap::new(), favoured: None, last_number: 0, waiting: Vec::new() };
        Arc::new(Self(Mutex::new(state)))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // No step under the lock leaves the state half changed, so that a panic in one cannot either.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn limit(&self) -> usize {
        self.state().limit
    }

    pub(crate) fn set_limit(&self, limit: usize) {
        let mut state = self.state();
        state.limit = limit;
        wake(state);
    }

    /// Counts the body of a request.
    pub(crate) fn add_request(&self, bytes: usize) {
        if bytes > 0 {
            self.state().used += bytes;
        }
    }

    /// The body of a request is gone.
    pub(crate) fn remove_request(&self, bytes: usize) {
        if bytes > 0 {
            let mut state = self.state();
            state.used -= bytes;
            wake(state);
        }
    }

    /// An empty reservation for a reply from an origin.
    pub(crate) fn reserve(self: &Arc<Self>, origin: &Origin) -> Reservation {
        let mut state = self.state();
        state.last_number += 1;
        Reservation { budget: self.clone(), origin: origin.clone(), number: state.last_number, bytes: 0 }
    }

    #[cfg(test)]
    pub(crate) fn used(&self) -> usize {
        self.state().used
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let waiting = std::mem::take(&mut state.waiting);
    drop(state);
    waiting.into_iter().for_each(Waker::wake);
}

impl State {
    fn fits(&self, reservation: &Reservation, bytes: usize) -> bool {
        let by_this_origin = self.by_origin.get(&reservation.origin).copied().unwrap_or_default();
        self.used.saturating_add(bytes) <= self.limit && by_this_origin.saturating_add(bytes) <= self.limit / 2
    }

    fn take(&mut self, reservation: &mut Reservation, bytes: usize) {
        reservation.bytes += bytes;
        self.used += bytes;
        match self.by_origin.get_mut(&reservation.origin) {
            Some(by_this_origin) => *by_this_origin += bytes,
            None => _ = self.by_origin.insert(reservation.origin.clone(), bytes),
        }
    }

    fn give(&mut self, reservation: &mut Reservation, bytes: usize) {
        reservation.bytes -= bytes;
        self.used -= bytes;
        if let Some(by_this_origin) = self.by_origin.get_mut(&reservation.origin) {
            *by_this_origin -= bytes;
            if *by_this_origin == 0 {
                self.by_origin.remove(&reservation.origin);
            }
        }
    }
}

impl Reservation {
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes more, whether there is room or not.
    pub(crate) fn take(&mut self, bytes: usize) {
        let budget = self.budget.clone();
        budget.state().take(self, bytes);
    }

    /// Takes more if there is room.
    pub(crate) fn try_take(&mut self, bytes: usize) -> bool {
        let budget = self.budget.clone();
        let mut state = budget.state();
        let may = state.fits(self, bytes) || *state.favoured.get_or_insert(self.number) == self.number;
        if may {
            state.take(self, bytes);
        }
        may
    }

    /// Takes more as soon as there is room.
    pub(crate) async fn wait_for(&mut self, bytes: usize) {
        poll_fn(|cx| {
            if self.try_take(bytes) {
                return Poll::Ready(());
            }
            self.budget.state().waiting.push(cx.waker().clone());
            // Room may have come before the waker was in the list.
            if self.try_take(bytes) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    /// Gives back all but so many bytes.
    pub(crate) fn keep(&mut self, bytes: usize) {
        let spare = self.bytes.saturating_sub(bytes);
        let budget = self.budget.clone();
        let mut state = budget.state();
        state.give(self, spare);
        wake(state);
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let budget = self.budget.clone();
        let mut state = budget.state();
        let bytes = self.bytes;
        state.give(self, bytes);
        state.favoured.take_if(|favoured| *favoured == self.number);
        wake(state);
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::address::target::Target;

    fn origin(host: &str) -> Origin {
        Target::parse(&format!("http://{host}/")).unwrap().origin().clone()
    }

    #[test]
    fn who_finds_no_room_waits_but_for_one() {
        let budget = Budget::new(100);
        let [mut a, mut b, mut c] = ["a", "b", "c"].map(|host| budget.reserve(&origin(host)));
        assert!(a.try_take(50) && b.try_take(40));
        assert!(a.try_take(500), "favoured from now on");
        assert!(!b.try_take(20) && !c.try_take(1));
        assert!(a.try_take(500));
        assert!(b.wait_for(10).now_or_never().is_none());
        drop(a);
        assert!(b.wait_for(10).now_or_never().is_some() && c.try_take(1));
        drop((b, c));
        assert_eq!(budget.used(), 0);
        assert!(budget.state().by_origin.is_empty());
    }

    #[test]
    fn an_origin_gets_half_of_the_whole() {
        let budget = Budget::new(100);
        let mut greedy = (0..3).map(|_| budget.reserve(&origin("greedy"))).collect::<Vec<_>>();
        assert!(greedy[0].try_take(50));
        assert!(greedy[1].try_take(10), "favoured");
        assert!(!greedy[2].try_take(10));
        let mut other = budget.reserve(&origin("other"));
        assert!(other.try_take(40));
        other.keep(5);
        assert_eq!(budget.used(), 65);
    }

    #[test]
    fn requests_count_and_a_higher_limit_makes_room() {
        let budget = Budget::new(100);
        budget.add_request(100);
        let mut favoured = budget.reserve(&origin("a"));
        assert!(favoured.try_take(1));
        let mut reservation = budget.reserve(&origin("b"));
        reservation.take(10);
        assert!(!reservation.try_take(10));
        budget.set_limit(200);
        assert!(reservation.try_take(10));
        budget.remove_request(100);
        assert_eq!(budget.used(), 21);
    }
}
