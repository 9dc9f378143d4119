#[cfg(test)]
mod tests;

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::HeaderValue;
use tokio::task::{AbortHandle, spawn_local};
use tokio::time::{sleep_until, timeout};

use crate::budget::Budget;
use crate::by_route::ByRoute;
use crate::connection::{Connection, Open};
use crate::connector::Connector;
use crate::egress_rule::RuleSet;
use crate::failure::Failure;
use crate::gate::Gate;
use crate::lease::Lease;
use crate::opening::{Opening, Permit, Turn};
use crate::policy::Policy;
use crate::pool::{Bounds, Pool, Poolable};
use crate::progress::{Phase, Progress};
use crate::resolver::Resolver;
use crate::route::Route;
use crate::target::Target;

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
    reaper: RefCell<Option<AbortHandle>>,
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

    fn with_resolver(policy: Policy, resolver: Resolver) -> Rc<Self> {
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
        if let Some(reaper) = self.reaper.take() {
            reaper.abort();
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
        let connection = self.pool.borrow_mut().take(route)?;
        Some(Lease::new(connection, self, route.clone(), settings))
    }

    /// Where the pool has no connection: one that is given back, or leave to open one.
    pub(crate) async fn turn<'a>(
        self: &'a Rc<Self>,
        route: &Route,
        settings: &'a Settings,
        progress: &Progress,
    ) -> Turn<Connection, Lease<'a>> {
        let opening = self.openings.get(route);
        let turn = match opening.ask(Instant::now()) {
            Ok(permit) => return Turn::Open(permit),
            Err(turn) => turn,
        };
        progress.enter(Phase::Handshake);
        opening.look_after();
        match timeout(patience(progress), turn).await {
            Ok(Ok(Turn::Use(connection))) => Turn::Use(Lease::new(connection, self, route.clone(), settings)),
            Ok(Ok(Turn::Open(permit))) => Turn::Open(permit),
            Ok(Err(_)) | Err(_) => Turn::Open(opening.permit()),
        }
    }

    /// Leave to open a connection, where one that was open turned out to be of no use.
    pub(crate) fn permit(&self, route: &Route) -> Permit<Connection> {
        self.openings.get(route).permit()
    }

    /// A new connection; or a share in one that another request has just opened.
    pub(crate) async fn open<'a>(
        self: &'a Rc<Self>,
        route: &Route,
        target: &Target,
        rules: Option<&RuleSet>,
        permit: Permit<Connection>,
        settings: &'a Settings,
        progress: &Progress,
    ) -> Result<Lease<'a>, Failure> {
        let open_new = async |permit| {
            let count = || self.begin_connection(permit);
            let connection = settings.connector.connect(target, rules, &self.resolver, progress, count).await?;
            if let Some(share) = connection.share() {
                self.keep(route, share, settings);
            }
            Ok(Lease::new(connection, self, route.clone(), settings))
        };
        if target.url().scheme() == "http" {
            return open_new(permit).await;
        }
        // Of many requests to an origin that speaks HTTP/2, one opens the connection and the others share it. That it
        // does is known only when the first is open. Should the name hang, nobody waits there and holds a place.
        settings.connector.look_up(target, &self.resolver, progress).await?;
        let gate = self.gates.get(route);
        progress.enter(Phase::Handshake);
        let turn = timeout(patience(progress), gate.turn()).await;
        if gate.is_exclusive() {
            drop(turn);
        } else if let Some(lease) = self.pooled(route, settings) {
            return Ok(lease);
        }
        let lease = open_new(permit).await?;
        gate.learn(lease.is_shared());
        Ok(lease)
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
                Some(opening) => opening.offer(connection, now),
                None => Some(connection),
            };
            let Some(connection) = left else { return };
            self.pool.borrow_mut().put(route, connection, now, current.bounds());
            if self.reaper.borrow().is_none() {
                self.start_reaper();
            }
        }
    }

    fn start_reaper(self: &Rc<Self>) {
        let reaper = spawn_local(reap(Rc::downgrade(self)));
        self.reaper.replace(Some(reaper.abort_handle()));
    }

    /// Closes what has been idle for too long. Says when to look again; none when there is nothing left.
    fn close_idle(&self) -> Option<Instant> {
        let bounds = self.settings.borrow().bounds();
        let next = self.pool.borrow_mut().expire(Instant::now(), bounds);
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
