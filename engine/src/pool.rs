use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use crate::route::Route;

/// What a [`Pool`] keeps.
pub(crate) trait Poolable: Sized {
    /// Whether it can still be used.
    fn is_open(&self) -> bool;

    /// Another handle to the same thing, where several may use it at once.
    fn share(&self) -> Option<Self>;
}

/// Connections that wait to be used again, by route.
///
/// The one used last is used next, so that those beyond the need grow old and go.
#[derive(Debug)]
pub(crate) struct Pool<C> {
    shelves: HashMap<Route, VecDeque<Idle<C>>>,
    len: usize,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    since: Instant,
}

/// How much a [`Pool`] keeps, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) total: usize,
    pub(crate) per_origin: usize,
    pub(crate) idle_timeout: Duration,
}

impl<C: Poolable> Pool<C> {
    pub(crate) fn new() -> Self {
        Self { shelves: HashMap::new(), len: 0 }
    }

    /// The connection on `route` that was used last, or a share in it. Those found closed are dropped.
    pub(crate) fn take(&mut self, route: &Route) -> Option<C> {
        let shelf = self.shelves.get_mut(route)?;
        while let Some(mut idle) = shelf.pop_back() {
            if !idle.connection.is_open() {
                self.len -= 1;
                continue;
            }
            match idle.connection.share() {
                Some(share) => {
                    idle.since = Instant::now();
                    shelf.push_back(idle);
                    return Some(share);
                }
                None => {
                    self.len -= 1;
                    return Some(idle.connection);
                }
            }
        }
        None
    }

    /// Keeps a connection, and drops those that have waited longest where there are too many.
    pub(crate) fn put(&mut self, route: &Route, connection: C, now: Instant, bounds: Bounds) {
        let shelf = self.shelves.entry(route.clone()).or_default();
        shelf.push_back(Idle { connection, since: now });
        self.len += 1;
        if shelf.len() > bounds.per_origin {
            shelf.pop_front();
            self.len -= 1;
        }
        if self.len > bounds.total {
            self.drop_oldest();
        }
    }

    /// Drops the one that has waited longest, if there is one. Looks at each route: this is for the rare case that very many
    /// are served.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let oldest = self.shelves.values_mut().filter(|shelf| !shelf.is_empty()).min_by_key(|shelf| shelf[0].since);
        let Some(shelf) = oldest else { return false };
        shelf.pop_front();
        self.len -= 1;
        true
    }

    /// Drops what has been idle for too long or is closed. Says when the next one will have been.
    pub(crate) fn expire(&mut self, now: Instant, bounds: Bounds) -> Option<Instant> {
        let mut next = None;
        self.shelves.retain(|_, shelf| {
            shelf.retain(|idle| idle.connection.is_open() && now < idle.since + bounds.idle_timeout);
            let first = shelf.iter().map(|idle| idle.since + bounds.idle_timeout).min();
            next = [next, first].into_iter().flatten().min();
            !shelf.is_empty()
        });
        self.len = self.shelves.values().map(VecDeque::len).sum();
        next
    }

    /// Drops all.
    pub(crate) fn clear(&mut self) {
        self.shelves.clear();
        self.len = 0;
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;

    use super::*;
    use crate::target::Target;

    #[derive(Clone, Debug)]
    struct Fake {
        number: u32,
        shared: bool,
        open: Rc<Cell<bool>>,
    }

    impl Poolable for Fake {
        fn is_open(&self) -> bool {
            self.open.get()
        }

        fn share(&self) -> Option<Self> {
            self.shared.then(|| self.clone())
        }
    }

    fn fake(number: u32) -> Fake {
        Fake { number, shared: false, open: Rc::new(Cell::new(true)) }
    }

    fn route(host: &str) -> Route {
        Route::new(Target::parse(&format!("http://{host}/")).unwrap().origin(), None)
    }

    const BOUNDS: Bounds = Bounds { total: 4, per_origin: 3, idle_timeout: Duration::from_secs(60) };

    fn taken(pool: &mut Pool<Fake>, host: &str) -> Vec<u32> {
        std::iter::from_fn(|| pool.take(&route(host))).map(|fake| fake.number).collect()
    }

    #[test]
    fn the_one_used_last_comes_first_and_only_to_its_route() {
        let mut pool = Pool::new();
        let now = Instant::now();
        for number in 1..=3 {
            pool.put(&route("a"), fake(number), now, BOUNDS);
        }
        assert!(pool.take(&route("b")).is_none());
        assert_eq!(taken(&mut pool, "a"), [3, 2, 1]);
        assert_eq!(pool.len, 0);
    }

    #[test]
    fn a_closed_one_is_passed_over() {
        let mut pool = Pool::new();
        let now = Instant::now();
        let closed = fake(2);
        pool.put(&route("a"), fake(1), now, BOUNDS);
        pool.put(&route("a"), closed.clone(), now, BOUNDS);
        closed.open.set(false);
        assert_eq!(taken(&mut pool, "a"), [1]);
    }

    #[test]
    fn a_shared_one_stays_and_is_young_again() {
        let mut pool = Pool::new();
        let long_ago = Instant::now() - Duration::from_secs(50);
        let shared = Fake { shared: true, ..fake(1) };
        pool.put(&route("a"), shared, long_ago, BOUNDS);
        assert_eq!(pool.take(&route("a")).unwrap().number, 1);
        assert_eq!(pool.take(&route("a")).unwrap().number, 1);
        assert!(pool.expire(long_ago + Duration::from_secs(61), BOUNDS).is_some());
        assert_eq!(pool.take(&route("a")).unwrap().number, 1);
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let mut pool = Pool::new();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        for number in 1..=4 {
            pool.put(&route("a"), fake(number), at(number.into()), BOUNDS);
        }
        pool.put(&route("b"), fake(5), at(5), BOUNDS);
        pool.put(&route("b"), fake(6), at(6), BOUNDS);
        assert_eq!(taken(&mut pool, "a"), [4, 3]);
        assert_eq!(taken(&mut pool, "b"), [6, 5]);
    }

    #[test]
    fn each_expires_in_its_time() {
        let mut pool = Pool::new();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        pool.put(&route("a"), fake(1), at(0), BOUNDS);
        pool.put(&route("b"), fake(2), at(10), BOUNDS);
        assert_eq!(pool.expire(at(59), BOUNDS), Some(at(60)));
        assert_eq!(pool.expire(at(60), BOUNDS), Some(at(70)));
        assert!(pool.take(&route("a")).is_none());
        assert_eq!(pool.expire(at(70), BOUNDS), None);
        assert_eq!(pool.len, 0);
    }
}
