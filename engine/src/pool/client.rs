#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use tokio::task::{AbortHandle, spawn_local, yield_now};
use tokio::time::{sleep_until, timeout};

use crate::address::target::Target;
use crate::config::policy::Policy;
use crate::egress::rule::RuleSet;
use crate::memory::budget::Budget;
use crate::message::failure::Failure;
use crate::pool::connection::{Connection, Open};
use crate::pool::connection_slots::{Acquired, ConnectionSlots, Slot};
use crate::pool::connector::Connector;
use crate::pool::idle_pool::{Bounds, IdlePool, Poolable};
use crate::pool::lease::Lease;
use crate::pool::route::Route;
use crate::pool::route_map::RouteMap;
use crate::pool::single_flight::SingleFlight;
use crate::trace::progress::{Phase, Progress};
use crate::transport::http2::Http2;
use crate::transport::resolver::Resolver;
use crate::transport::tls::Offer;

/// What all requests share: connections, the resolver, memory, and the current policy.
pub(crate) struct Client {
    settings: RefCell<Rc<Settings>>,
    pool: RefCell<IdlePool<Connection>>,
    resolver: Resolver,
    budget: Arc<Budget>,
    /// How many connections are open or about to be.
    open: Rc<Cell<usize>>,
    /// Of the https routes that are in use.
    single_flights: RouteMap<SingleFlight>,
    /// Of all routes that are in use.
    slots: RouteMap<ConnectionSlots<Connection>>,
    /// Closes idle connections. None while there are none.
    reaper: RefCell<Option<Reaper>>,
}

/// A task that sleeps until the next idle connection has to go.
struct Reaper {
    task: AbortHandle,
    next: Cell<Instant>,
}

/// A policy, made ready for use. A request keeps the one that it started under.
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    /// None where the text of the policy cannot stand in a header.
    pub(crate) user_agent: Option<HeaderValue>,
    connector: Rc<Connector>,
}

impl Settings {
    fn new(policy: Policy, connector: Rc<Connector>) -> Rc<Self> {
        let user_agent = policy.user_agent_field();
        Rc::new(Self { policy, user_agent, connector })
    }

    /// Of a client that opens no connections.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn alone(policy: Policy) -> Rc<Self> {
        let connector = Rc::new(Connector::new(&policy));
        Self::new(policy, connector)
    }

    fn bounds(&self) -> Bounds {
        Bounds {
            total: self.policy.max_connections,
            per_origin: self.policy.max_in_flight_per_origin,
            idle_timeout: self.policy.idle_timeout,
        }
    }
}

impl Client {
    pub(crate) fn new(policy: Policy) -> Rc<Self> {
        Self::with_resolver(policy, Resolver::system())
    }

    pub(crate) fn with_resolver(policy: Policy, resolver: Resolver) -> Rc<Self> {
        let connector = Rc::new(Connector::new(&policy));
        let budget = Budget::new(policy.max_in_flight_bytes);
        Rc::new(Self {
            settings: RefCell::new(Settings::new(policy, connector)),
            pool: RefCell::new(IdlePool::new()),
            resolver,
            budget,
            open: Rc::default(),
            single_flights: RouteMap::default(),
            slots: RouteMap::default(),
            reaper: RefCell::default(),
        })
    }

    /// The memory for bodies.
    pub(crate) fn budget(&self) -> &Arc<Budget> {
        &self.budget
    }

    pub(crate) fn settings(&self) -> Rc<Settings> {
        self.settings.borrow().clone()
    }

    pub(crate) fn set_policy(self: &Rc<Self>, policy: Policy) {
        self.budget.set_limit(policy.max_in_flight_bytes);
        self.resolver.forget();
        let connector = self.settings().connector.clone();
        if connector.serves(&policy) {
            self.settings.replace(Settings::new(policy, connector));
        } else {
            self.renew(policy);
        }
        // Idle connections may have to go sooner now.
        if self.reaper.borrow().is_some() {
            self.start_reaper();
        }
    }

    /// Reads the files of the policy again, for the connections opened from now on.
    pub(crate) fn reload_files(&self) {
        self.resolver.forget();
        self.renew(self.settings().policy.clone());
    }

    fn renew(&self, policy: Policy) {
        // Connections that were opened under the old policy may not be trusted under the new one.
        self.pool.borrow_mut().clear();
        let connector = Rc::new(Connector::new(&policy));
        self.settings.replace(Settings::new(policy, connector));
    }

    /// A connection from the pool, or a share in one.
    pub(crate) fn pooled<'a>(self: &'a Rc<Self>, route: &Route, settings: &'a Settings) -> Option<Lease<'a>> {
        let connection = self.take(route, Instant::now())?;
        Some(Lease::reusing(connection, self, route.clone(), settings))
    }

    fn take(&self, route: &Route, now: Instant) -> Option<Connection> {
        let bounds = self.settings.borrow().bounds();
        self.pool.borrow_mut().take(route, now, bounds)
    }

    /// A connection for a request that found none in the pool: one that is given back, or a new one. `anew`: only a
    /// new one, unless connections are shared.
    pub(crate) async fn connection<'a>(
        self: &'a Rc<Self>,
        route: &Route,
        target: &Target,
        rules: Option<&RuleSet>,
        settings: &'a Settings,
        progress: &Progress,
        anew: bool,
    ) -> Result<Lease<'a>, Failure> {
        if !anew && self.pool.borrow().any(route, Poolable::has_unread) {
            // What has come is read when the thread looks at its sockets. It may be no end.
            yield_now().await;
            if let Some(lease) = self.pooled(route, settings) {
                return Ok(lease);
            }
        }
        let slot = match anew {
            true => self.slots.get(route).take(),
            false => match self.acquire(route, settings, progress).await {
                Acquired::Connection(lease) => return Ok(lease),
                Acquired::Slot(slot) => slot,
            },
        };
        self.open(route, target, rules, slot, settings, progress).await
    }

    /// Where the pool has no connection: one that is given back, or a slot to open one.
    async fn acquire<'a>(
        self: &'a Rc<Self>,
        route: &Route,
        settings: &'a Settings,
        progress: &Progress,
    ) -> Acquired<Connection, Lease<'a>> {
        let slots = self.slots.get(route);
        let now = Instant::now();
        // A server that takes no stream on one connection will hardly take one on another.
        let is_barred = self.pool.borrow().any(route, |open| open.http2().is_some_and(Http2::is_barred));
        let turn = if is_barred {
            slots.wait(now)
        } else {
            match slots.acquire(now) {
                Ok(slot) => return Acquired::Slot(slot),
                Err(turn) => {
                    slots.watch_waiting();
                    turn
                }
            }
        };
        progress.enter(Phase::Handshake);
        match timeout(patience(progress), turn).await {
            Ok(Ok(Acquired::Connection(connection))) => {
                Acquired::Connection(Lease::reusing(connection, self, route.clone(), settings))
            }
            Ok(Ok(Acquired::Slot(slot))) => Acquired::Slot(slot),
            Ok(Err(_)) | Err(_) => Acquired::Slot(slots.take()),
        }
    }

    /// A new connection; or a share in one that another request has just opened.
    async fn open<'a>(
        self: &'a Rc<Self>,
        route: &Route,
        target: &Target,
        rules: Option<&RuleSet>,
        slot: Slot<Connection>,
        settings: &'a Settings,
        progress: &Progress,
    ) -> Result<Lease<'a>, Failure> {
        let open_new = async |slot, offer| {
            let count = || self.begin_connection(slot);
            let connection = settings.connector.connect(target, rules, offer, &self.resolver, progress, count).await?;
            Ok(Lease::new(connection, self, route.clone(), settings))
        };
        if target.url().scheme() == "http" {
            return open_new(slot, Offer::Http1).await;
        }
        // Of many requests to an origin that speaks HTTP/2, one opens the connection and the others share it. Whether
        // it speaks HTTP/2 is known only when the first connection is open. The name is looked up before that,
        // because a request that waits for a name must not hold a place.
        settings.connector.look_up(target, &self.resolver, progress).await?;
        let single_flight = self.single_flights.get(route);
        progress.enter(Phase::Handshake);
        let mut turn = timeout(patience(progress), single_flight.turn()).await.ok();
        let now = Instant::now();
        if single_flight.is_exclusive(now) {
            turn = None;
        } else if let Some(lease) = self.pooled(route, settings) {
            return Ok(lease);
        }
        let offer = if single_flight.wants_http1(now) { Offer::Http1 } else { Offer::Any };
        let lease = open_new(slot, offer).await?;
        single_flight.learn(lease.http2().is_some());
        if let (Some(connection), Some(kept)) = (lease.http2(), lease.keep()) {
            connection.limit_lifetime(single_flight.lifetime(now));
            self.keep(route, kept, settings);
            connection.settle(turn, self.serves(route));
        }
        Ok(lease)
    }

    /// Makes a callback that serves the requests that wait for a connection on a route.
    fn serves(self: &Rc<Self>, route: &Route) -> Rc<dyn Fn()> {
        let (client, route) = (Rc::downgrade(self), route.clone());
        Rc::new(move || {
            if let Some(client) = client.upgrade() {
                client.serve(&route, &client.slots.get(&route));
            }
        })
    }

    /// Gives the requests that wait what the pool has.
    fn serve(&self, route: &Route, slots: &ConnectionSlots<Connection>) {
        let now = Instant::now();
        while slots.is_waited_for() {
            let Some(connection) = self.take(route, now) else { return };
            slots.offer(connection, now);
        }
    }

    /// A stream of an HTTP/2 connection has ended, so that there may be room for another. `lifetime`: how many
    /// streams such a connection carries, if that turned out.
    pub(crate) fn make_room(&self, route: &Route, slots: &ConnectionSlots<Connection>, lifetime: Option<usize>) {
        if let Some(streams) = lifetime {
            self.single_flights.get(route).learn_lifetime(streams, Instant::now());
        }
        self.serve(route, slots);
    }

    /// The server asked for HTTP/1.1.
    pub(crate) fn want_http1(&self, route: &Route) {
        self.single_flights.get(route).want_http1(Instant::now());
    }

    /// Counts one more connection, and closes idle ones if there are too many. No more requests are under way than
    /// connections may be open, so the others must be idle.
    fn begin_connection(&self, slot: Slot<Connection>) -> Open {
        let most = self.settings.borrow().policy.max_connections;
        while self.open.get() >= most && self.pool.borrow_mut().drop_oldest() {}
        Open::count(&self.open, slot)
    }

    /// Gives a connection to a request that waits for one, or else to the pool.
    pub(crate) fn keep(self: &Rc<Self>, route: &Route, connection: Connection, settings: &Settings) {
        let current = self.settings.borrow();
        if Rc::ptr_eq(&current.connector, &settings.connector) {
            let now = Instant::now();
            let left = match connection.slots().cloned() {
                Some(slots) if !connection.is_shared() => slots.offer(connection, now),
                _ => Some(connection),
            };
            let Some(connection) = left else { return };
            let until = self.pool.borrow_mut().put(route, connection, now, current.bounds());
            if self.reaper.borrow().as_ref().is_none_or(|reaper| until < reaper.next.get()) {
                self.start_reaper();
            }
        }
    }

    fn start_reaper(self: &Rc<Self>) {
        let task = spawn_local(reap(Rc::downgrade(self))).abort_handle();
        let next = Cell::new(Instant::now());
        if let Some(before) = self.reaper.replace(Some(Reaper { task, next })) {
            before.task.abort();
        }
    }

    /// Closes what has been idle for too long. Says when to do so again; none if nothing is left.
    fn close_idle(&self) -> Option<Instant> {
        let bounds = self.settings.borrow().bounds();
        let next = self.pool.borrow_mut().expire(Instant::now(), bounds);
        if let (Some(next), Some(reaper)) = (next, &*self.reaper.borrow()) {
            reaper.next.set(next);
        }
        if next.is_none() {
            self.reaper.take();
        }
        next
    }
}

/// How long a request waits for a connection of others before it opens its own: a quarter of its time, so that enough
/// is left for the attempt.
fn patience(progress: &Progress) -> Duration {
    progress.remaining() / 4
}

/// Closes idle connections as their time comes.
async fn reap(client: Weak<Client>) {
    while let Some(next) = client.upgrade().and_then(|client| client.close_idle()) {
        sleep_until(next.into()).await;
    }
}
