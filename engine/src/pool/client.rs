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
use crate::pool::connection_slots::{Opening, Permit, Turn};
use crate::pool::connector::Connector;
use crate::pool::idle_pool::{Bounds, Pool, Poolable};
use crate::pool::lease::Lease;
use crate::pool::route::Route;
use crate::pool::route_map::ByRoute;
use crate::pool::single_flight::Gate;
use crate::trace::timeline::{Phase, Progress};
use crate::transport::http2::Http2;
use crate::transport::resolver::Resolver;
use crate::transport::tls::Offer;

/// What all requests have in common: connections, trust, the resolver, and the policy of the day.
pub(crate) struct Client {
    settings: RefCell<Rc<Settings>>,
    pool: RefCell<Pool<Connection>>,
    resolver: Resolver,
    budget: Arc<Budget>,
    /// How many connections are open or about to be.
    open: Rc<Cell<usize>>,
    /// Of the https routes that were taken.
    gates: ByRoute<Gate>,
    /// Of all that were taken.
    openings: ByRoute<Opening<Connection>>,
    /// Closes idle connections; there is none while there are none.
    reaper: RefCell<Option<Reaper>>,
}

/// A task that sleeps until the next idle connection has to go.
struct Reaper {
    task: AbortHandle,
    next: Cell<Instant>,
}

/// A policy, made ready for use. A request keeps to the one that it started under.
pub(crate) struct Settings {
    pub(crate) policy: Policy,
    /// None where the policy's text cannot stand in a header.
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
            total: self.policy.max_in_flight,
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
            pool: RefCell::new(Pool::new()),
            resolver,
            budget,
            open: Rc::default(),
            gates: ByRoute::default(),
            openings: ByRoute::default(),
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

    /// Reads the files of the policy anew, for the connections opened from now on.
    pub(crate) fn reload_files(&self) {
        self.resolver.forget();
        self.renew(self.settings().policy.clone());
    }

    fn renew(&self, policy: Policy) {
        // What was trusted before is not trusted for that alone.
        self.pool.borrow_mut().clear();
        let connector = Rc::new(Connector::new(&policy));
        self.settings.replace(Settings::new(policy, connector));
    }

    /// A connection that waited in the pool, or a share in one.
    pub(crate) fn pooled<'a>(self: &'a Rc<Self>, route: &Route, settings: &'a Settings) -> Option<Lease<'a>> {
        let connection = self.take(route, Instant::now())?;
        Some(Lease::reusing(connection, self, route.clone(), settings))
    }

    fn take(&self, route: &Route, now: Instant) -> Option<Connection> {
        let bounds = self.settings.borrow().bounds();
        self.pool.borrow_mut().take(route, now, bounds)
    }

    /// A connection for a request that found none in the pool: one that is given back, or a new one. `anew`: only a new one, where
    /// each request has its own.
    pub(crate) async fn connection<'a>(
        self: &'a Rc<Self>,
        route: &Route,
        target: &Target,
        rules: Option<&RuleSet>,
        settings: &'a Settings,
        progress: &Progress,
        anew: bool,
    ) -> Result<Lease<'a>, Failure> {
        if !anew && self.pool.borrow().any(route, Poolable::is_stirred) {
            // What has come is read as soon as the thread looks at its sockets. It may be no end.
            yield_now().await;
            if let Some(lease) = self.pooled(route, settings) {
                return Ok(lease);
            }
        }
        let permit = match anew {
            true => self.openings.get(route).permit(),
            false => match self.turn(route, settings, progress).await {
                Turn::Use(lease) => return Ok(lease),
                Turn::Open(permit) => permit,
            },
        };
        self.open(route, target, rules, permit, settings, progress).await
    }

    /// Where the pool has no connection: one that is given back, or leave to open one.
    async fn turn<'a>(
        self: &'a Rc<Self>,
        route: &Route,
        settings: &'a Settings,
        progress: &Progress,
    ) -> Turn<Connection, Lease<'a>> {
        let opening = self.openings.get(route);
        let now = Instant::now();
        // A server that takes no stream on one connection will hardly take one on another.
        let is_barred = self.pool.borrow().any(route, |open| open.http2().is_some_and(Http2::is_barred));
        let turn = if is_barred {
            opening.wait(now)
        } else {
            match opening.ask(now) {
                Ok(permit) => return Turn::Open(permit),
                Err(turn) => {
                    opening.look_after();
                    turn
                }
            }
        };
        progress.enter(Phase::Handshake);
        match timeout(patience(progress), turn).await {
            Ok(Ok(Turn::Use(connection))) => Turn::Use(Lease::reusing(connection, self, route.clone(), settings)),
            Ok(Ok(Turn::Open(permit))) => Turn::Open(permit),
            Ok(Err(_)) | Err(_) => Turn::Open(opening.permit()),
        }
    }

    /// A new connection; or a share in one that another request has just opened.
    async fn open<'a>(
        self: &'a Rc<Self>,
        route: &Route,
        target: &Target,
        rules: Option<&RuleSet>,
        permit: Permit<Connection>,
        settings: &'a Settings,
        progress: &Progress,
    ) -> Result<Lease<'a>, Failure> {
        let open_new = async |permit, offer| {
            let count = || self.begin_connection(permit);
            let connection = settings.connector.connect(target, rules, offer, &self.resolver, progress, count).await?;
            Ok(Lease::new(connection, self, route.clone(), settings))
        };
        if target.url().scheme() == "http" {
            return open_new(permit, Offer::Http1).await;
        }
        // Of many requests to an origin that speaks HTTP/2, one opens the connection and the others share it. That it
        // does is known only when the first is open. Should the name hang, nobody waits there and holds a place.
        settings.connector.look_up(target, &self.resolver, progress).await?;
        let gate = self.gates.get(route);
        progress.enter(Phase::Handshake);
        let mut turn = timeout(patience(progress), gate.turn()).await.ok();
        let now = Instant::now();
        if gate.is_exclusive(now) {
            turn = None;
        } else if let Some(lease) = self.pooled(route, settings) {
            return Ok(lease);
        }
        let offer = if gate.wants_http1(now) { Offer::Http1 } else { Offer::Any };
        let lease = open_new(permit, offer).await?;
        gate.learn(lease.http2().is_some());
        if let (Some(connection), Some(kept)) = (lease.http2(), lease.keep()) {
            connection.limit_lifetime(gate.lifetime(now));
            self.keep(route, kept, settings);
            connection.settle(turn, self.serves(route));
        }
        Ok(lease)
    }

    /// Has those who wait for a connection on a route served.
    fn serves(self: &Rc<Self>, route: &Route) -> Rc<dyn Fn()> {
        let (client, route) = (Rc::downgrade(self), route.clone());
        Rc::new(move || {
            if let Some(client) = client.upgrade() {
                client.serve(&route, &client.openings.get(&route));
            }
        })
    }

    /// Gives those who wait for a connection what the pool has.
    fn serve(&self, route: &Route, opening: &Opening<Connection>) {
        let now = Instant::now();
        while opening.is_waited_for() {
            let Some(connection) = self.take(route, now) else { return };
            opening.offer(connection, now);
        }
    }

    /// A stream of an HTTP/2 connection has ended, so that there may be room for another one. `lifetime`: how many of them
    /// such a connection carries, where that turned out.
    pub(crate) fn make_room(&self, route: &Route, opening: &Opening<Connection>, lifetime: Option<usize>) {
        if let Some(streams) = lifetime {
            self.gates.get(route).learn_lifetime(streams, Instant::now());
        }
        self.serve(route, opening);
    }

    /// The server wants HTTP/1.1.
    pub(crate) fn want_http1(&self, route: &Route) {
        self.gates.get(route).want_http1(Instant::now());
    }

    /// Counts one more connection, and closes idle ones if there are too many: as no more requests are under way than
    /// connections may be open, the others must be idle.
    fn begin_connection(&self, permit: Permit<Connection>) -> Open {
        let most = self.settings.borrow().policy.max_connections;
        while self.open.get() >= most && self.pool.borrow_mut().drop_oldest() {}
        Open::count(&self.open, permit)
    }

    /// Gives a connection to those who wait for one, or puts it into the pool.
    pub(crate) fn keep(self: &Rc<Self>, route: &Route, connection: Connection, settings: &Settings) {
        let current = self.settings.borrow();
        if Rc::ptr_eq(&current.connector, &settings.connector) {
            let now = Instant::now();
            let left = match connection.opening().cloned() {
                Some(opening) if !connection.is_shared() => opening.offer(connection, now),
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

    /// Closes what has been idle for too long. Says when to look again; none when there is nothing left.
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

/// How long a request waits for what others do before it tries by itself: whatever becomes of those, there is time left for an
/// attempt of its own.
fn patience(progress: &Progress) -> Duration {
    progress.remaining() / 4
}

/// Sleeps from one idle connection's end to the next one's.
async fn reap(client: Weak<Client>) {
    while let Some(next) = client.upgrade().and_then(|client| client.close_idle()) {
        sleep_until(next.into()).await;
    }
}
