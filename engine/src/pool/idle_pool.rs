use std::collections::VecDeque;
use std::time::{Duration, Instant};

use indexmap::IndexMap;

use crate::pool::route::Route;

/// What an [`IdlePool`] keeps.
pub(crate) trait Poolable: Sized {
    /// Whether it can still be used, as far as was read from it.
    fn is_open(&self) -> bool;

    /// Whether something has come on it, while it was idle, that was not read: most likely its end. Asks the system.
    fn has_unread(&self) -> bool;

    /// Whether several requests may use it at once, each with a share.
    fn is_shared(&self) -> bool;

    /// A share in it, if there is room for one now.
    fn share(&self) -> Option<Self>;

    /// Whether a request uses it.
    fn is_in_use(&self) -> bool;

    /// How long it may be idle, if that is known.
    fn idle_limit(&self) -> Option<Duration>;
}

/// Connections that are not in use, by route.
///
/// The one used last is used next, so that those that are not needed grow old and are closed.
#[derive(Debug)]
pub(crate) struct IdlePool<C> {
    shelves: IndexMap<Route, VecDeque<Idle<C>>>,
    len: usize,
}

#[derive(Debug)]
struct Idle<C> {
    connection: C,
    since: Instant,
}

/// How much an [`IdlePool`] keeps, and for how long.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) total: usize,
    pub(crate) per_origin: usize,
    pub(crate) idle_timeout: Duration,
}

/// How many routes are looked at for one that can go.
const LOOKED_AT: usize = 16;

impl<C: Poolable> Idle<C> {
    /// When it will have been idle for too long.
    fn until(&self, bounds: Bounds) -> Instant {
        self.since + self.connection.idle_limit().map_or(bounds.idle_timeout, |limit| limit.min(bounds.idle_timeout))
    }

    fn is_usable(&self, now: Instant, bounds: Bounds) -> bool {
        (now < self.until(bounds) || self.connection.is_in_use()) && self.connection.is_open()
    }
}

impl<C: Poolable> IdlePool<C> {
    pub(crate) fn new() -> Self {
        Self { shelves: IndexMap::new(), len: 0 }
    }

    /// The connection on `route` that was used last, or a share in one. Closed connections and those that were idle
    /// for too long are dropped. Those with unread data, or without a share to give, stay.
    pub(crate) fn take(&mut self, route: &Route, now: Instant, bounds: Bounds) -> Option<C> {
        let shelf = self.shelves.get_mut(route)?;
        let mut at = shelf.len();
        while at > 0 {
            at -= 1;
            let idle = &mut shelf[at];
            if !idle.is_usable(now, bounds) {
                shelf.remove(at);
                self.len -= 1;
                continue;
            }
            if idle.connection.has_unread() {
                continue;
            }
            if !idle.connection.is_shared() {
                self.len -= 1;
                return shelf.remove(at).map(|idle| idle.connection);
            }
            if let Some(share) = idle.connection.share() {
                idle.since = now;
                return Some(share);
            }
        }
        None
    }

    /// Whether a connection on `route` meets a condition.
    pub(crate) fn any(&self, route: &Route, condition: impl Fn(&C) -> bool) -> bool {
        self.shelves.get(route).is_some_and(|shelf| shelf.iter().any(|idle| condition(&idle.connection)))
    }

    /// Keeps a connection, and drops those that have been idle longest where there are too many. Says when it will
    /// have been idle for too long.
    pub(crate) fn put(&mut self, route: &Route, connection: C, now: Instant, bounds: Bounds) -> Instant {
        let shelf = self.shelves.entry(route.clone()).or_default();
        let idle = Idle { connection, since: now };
        let until = idle.until(bounds);
        shelf.push_back(idle);
        self.len += 1;
        if shelf.len() > bounds.per_origin {
            shelf.pop_front();
            self.len -= 1;
        }
        if self.len > bounds.total {
            self.drop_oldest();
        }
        until
    }

    /// Drops one that has waited long, if there is one: of a few routes, the one that has waited longest.
    ///
    /// To look at all routes would take a request to one of thousands longer than to open a connection. And where thousands take
    /// turns, the one that has waited longest of all is the one that is wanted next.
    pub(crate) fn drop_oldest(&mut self) -> bool {
        let routes = self.shelves.len();
        let first = if routes > LOOKED_AT { fastrand::usize(..routes) } else { 0 };
        let shelves = (first..routes).chain(0..first).map(|at| (at, &self.shelves[at]));
        let oldest = shelves.filter_map(|(at, shelf)| Some((shelf.front()?.since, at))).take(LOOKED_AT).min();
        let Some((_, at)) = oldest else { return false };
        self.shelves[at].pop_front();
        self.len -= 1;
        true
    }

    /// Drops what is closed or has been idle for too long. Says when to do so again.
    pub(crate) fn expire(&mut self, now: Instant, bounds: Bounds) -> Option<Instant> {
        let mut next = None;
        self.shelves.retain(|_, shelf| {
            for idle in shelf.iter_mut().filter(|idle| idle.connection.is_in_use()) {
                idle.since = now;
            }
            shelf.retain(|idle| idle.is_usable(now, bounds));
            let first = shelf.iter().map(|idle| idle.until(bounds)).min();
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
    use crate::address::target::Target;

    #[derive(Clone, Debug)]
    struct Fake {
        number: u32,
        shared: bool,
        open: Rc<Cell<bool>>,
        /// Of a shared one.
        full: Rc<Cell<bool>>,
        in_use: Rc<Cell<bool>>,
        unread: Rc<Cell<bool>>,
        idle_limit: Option<Duration>,
    }

    impl Poolable for Fake {
        fn is_open(&self) -> bool {
            self.open.get()
        }

        fn has_unread(&self) -> bool {
            self.unread.get()
        }

        fn is_shared(&self) -> bool {
            self.shared
        }

        fn share(&self) -> Option<Self> {
            (self.shared && !self.full.get()).then(|| self.clone())
        }

        fn is_in_use(&self) -> bool {
            self.in_use.get()
        }

        fn idle_limit(&self) -> Option<Duration> {
            self.idle_limit
        }
    }

    fn fake(number: u32) -> Fake {
        let open = Rc::new(Cell::new(true));
        let [full, in_use, unread] = Default::default();
        Fake { number, shared: false, open, full, in_use, unread, idle_limit: None }
    }

    fn take(pool: &mut IdlePool<Fake>, host: &str, now: Instant) -> Option<u32> {
        pool.take(&route(host), now, BOUNDS).map(|fake| fake.number)
    }

    fn route(host: &str) -> Route {
        Route::new(Target::parse(&format!("http://{host}/")).unwrap().origin(), None)
    }

    const BOUNDS: Bounds = Bounds { total: 4, per_origin: 3, idle_timeout: Duration::from_secs(60) };

    fn taken(pool: &mut IdlePool<Fake>, host: &str) -> Vec<u32> {
        std::iter::from_fn(|| take(pool, host, Instant::now())).collect()
    }

    #[test]
    fn the_one_used_last_comes_first_and_only_to_its_route() {
        let mut pool = IdlePool::new();
        let now = Instant::now();
        for number in 1..=3 {
            pool.put(&route("a"), fake(number), now, BOUNDS);
        }
        assert_eq!(take(&mut pool, "b", now), None);
        assert_eq!(taken(&mut pool, "a"), [3, 2, 1]);
        assert_eq!(pool.len, 0);
    }

    #[test]
    fn a_closed_one_is_passed_over() {
        let mut pool = IdlePool::new();
        let now = Instant::now();
        let closed = fake(2);
        pool.put(&route("a"), fake(1), now, BOUNDS);
        pool.put(&route("a"), closed.clone(), now, BOUNDS);
        closed.open.set(false);
        assert_eq!(taken(&mut pool, "a"), [1]);
    }

    #[test]
    fn one_with_unread_data_waits_until_it_is_read() {
        for shared in [false, true] {
            let mut pool = IdlePool::new();
            let now = Instant::now();
            let unread = Fake { shared, ..fake(2) };
            pool.put(&route("a"), fake(1), now, BOUNDS);
            pool.put(&route("a"), unread.clone(), now, BOUNDS);
            unread.unread.set(true);
            assert_eq!(take(&mut pool, "a", now), Some(1));
            assert_eq!(take(&mut pool, "a", now), None);
            unread.unread.set(false);
            assert_eq!(take(&mut pool, "a", now), Some(2));
        }
    }

    #[test]
    fn a_shared_one_stays_and_is_young_again() {
        let mut pool = IdlePool::new();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let shared = Fake { shared: true, ..fake(1) };
        pool.put(&route("a"), shared, start, BOUNDS);
        assert_eq!(take(&mut pool, "a", at(50)), Some(1));
        assert_eq!(take(&mut pool, "a", at(50)), Some(1));
        assert_eq!(pool.expire(at(61), BOUNDS), Some(at(110)));
        assert_eq!(take(&mut pool, "a", at(61)), Some(1));
    }

    #[test]
    fn a_full_one_stays_and_another_gives_a_share() {
        let mut pool = IdlePool::new();
        let now = Instant::now();
        let [first, last] = [1, 2].map(|number| Fake { shared: true, ..fake(number) });
        for shared in [&first, &last] {
            pool.put(&route("a"), shared.clone(), now, BOUNDS);
        }
        last.full.set(true);
        assert_eq!(take(&mut pool, "a", now), Some(1));
        first.full.set(true);
        assert_eq!(take(&mut pool, "a", now), None);
        assert!(pool.any(&route("a"), |fake| fake.number == 2) && !pool.any(&route("b"), |_| true));
        last.full.set(false);
        assert_eq!(take(&mut pool, "a", now), Some(2));
    }

    #[test]
    fn one_in_use_is_not_idle() {
        let mut pool = IdlePool::new();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let shared = Fake { shared: true, ..fake(1) };
        pool.put(&route("a"), shared.clone(), start, BOUNDS);
        shared.in_use.set(true);
        assert_eq!(pool.expire(at(300), BOUNDS), Some(at(360)));
        shared.in_use.set(false);
        assert_eq!(pool.expire(at(360), BOUNDS), None);
    }

    #[test]
    fn one_whose_time_is_over_is_not_used() {
        let mut pool = IdlePool::new();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        let hinted = Fake { idle_limit: Some(Duration::from_secs(4)), ..fake(2) };
        assert_eq!(pool.put(&route("a"), fake(1), start, BOUNDS), at(60));
        assert_eq!(pool.put(&route("a"), hinted.clone(), start, BOUNDS), at(4));
        assert_eq!(take(&mut pool, "a", at(4)), Some(1));
        pool.put(&route("a"), hinted.clone(), start, BOUNDS);
        assert_eq!(take(&mut pool, "a", at(3)), Some(2));
        let longer = Fake { idle_limit: Some(Duration::from_secs(600)), ..fake(3) };
        assert_eq!(pool.put(&route("a"), longer, start, BOUNDS), at(60));
        assert_eq!(take(&mut pool, "a", at(60)), None);
        assert_eq!(pool.len, 0);
    }

    #[test]
    fn the_oldest_go_where_there_are_too_many() {
        let mut pool = IdlePool::new();
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
    fn where_many_routes_take_turns_most_connections_are_there_when_they_are_wanted() {
        let mut pool = IdlePool::new();
        let start = Instant::now();
        let bounds = Bounds { total: 900, ..BOUNDS };
        let mut found = 0;
        for number in 0..10_000 {
            let now = start + Duration::from_micros(number);
            let route = route(&(number % 1000).to_string());
            let connection = pool.take(&route, now, bounds).inspect(|_| found += 1).unwrap_or_else(|| fake(1));
            pool.put(&route, connection, now, bounds);
        }
        assert!(pool.len == 900 && found > 6000, "{found} of 9,000");
    }

    #[test]
    fn each_expires_in_its_time() {
        let mut pool = IdlePool::new();
        let start = Instant::now();
        let at = |second| start + Duration::from_secs(second);
        pool.put(&route("a"), fake(1), at(0), BOUNDS);
        pool.put(&route("b"), fake(2), at(10), BOUNDS);
        assert_eq!(pool.expire(at(59), BOUNDS), Some(at(60)));
        assert_eq!(pool.expire(at(60), BOUNDS), Some(at(70)));
        assert_eq!(take(&mut pool, "a", at(60)), None);
        assert_eq!(pool.expire(at(70), BOUNDS), None);
        assert_eq!(pool.len, 0);
    }
}
