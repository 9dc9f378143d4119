use std::cell::{Cell, RefCell, RefMut};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::address::target::Target;
use crate::trace::Trace;
use crate::trace::phases::Phases;

/// A request's place among those in flight, as its exchange sees it.
pub(crate) trait Place {
    /// There is a connection for the request.
    fn connected(self: Rc<Self>);

    /// The request waits for something that does not depend on its origin, and leaves its place to others.
    fn give_up(self: Rc<Self>);

    /// The request can go on. It has a place again once this answers.
    fn ask_back(self: Rc<Self>) -> oneshot::Receiver<()>;
}

/// What an exchange is busy with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Dns,
    Handshake,
    Exchange,
}

/// A look-up that takes longer hangs. Its request gives up its place until the look-up is over.
const HANGS: Duration = Duration::from_millis(100);

/// The body of a reply as far as it has come. It outlives the deadline.
#[derive(Default)]
pub(crate) struct Received {
    pub(crate) body: Vec<u8>,
    /// None if a part of the body is not to be kept.
    pub(crate) content_type: Option<String>,
}

/// The stopwatch and log of one request. It knows where the exchange is and which phase the time goes to, also when
/// the deadline ends it.
pub(crate) struct Progress {
    started: Instant,
    limit: Duration,
    current: Cell<Option<Phase>>,
    since: Cell<Instant>,
    /// Of each phase that was entered, the time up to `since`.
    spent: [Cell<Option<Duration>>; 3],
    target: RefCell<Target>,
    redirects: Cell<u32>,
    remote: Cell<Option<SocketAddr>>,
    version: Cell<Option<&'static str>>,
    starved: Cell<bool>,
    place: Option<Rc<dyn Place>>,
    received: RefCell<Received>,
}

impl Progress {
    pub(crate) fn start(limit: Duration, target: Target, place: Option<Rc<dyn Place>>) -> Self {
        let now = Instant::now();
        Self {
            started: now,
            limit,
            current: Cell::new(None),
            since: Cell::new(now),
            spent: Default::default(),
            target: RefCell::new(target),
            redirects: Cell::new(0),
            remote: Cell::new(None),
            version: Cell::new(None),
            starved: Cell::new(false),
            place,
            received: RefCell::default(),
        }
    }

    /// A redirect is followed.
    pub(crate) fn redirect(&self, target: &Target) {
        self.target.replace(target.clone());
        self.redirects.set(self.redirects.get() + 1);
        self.disconnect();
    }

    /// There is a connection.
    pub(crate) fn reach(&self, remote: Option<SocketAddr>) {
        self.remote.set(remote);
    }

    /// The protocol on it is agreed on: a request can be sent.
    pub(crate) fn speak(&self, version: &'static str) {
        self.version.set(Some(version));
        if let Some(place) = &self.place {
            place.clone().connected();
        }
    }

    /// Waits for a look-up.
    pub(crate) async fn look_up<T, E>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T, E> {
        self.enter(Phase::Dns);
        let mut work = pin!(work);
        if let Ok(found) = timeout(HANGS, work.as_mut()).await {
            return found;
        }
        let Some(place) = &self.place else { return work.await };
        place.clone().give_up();
        let found = work.await?;
        self.enter(Phase::Handshake);
        // It is not answered only when the engine stops.
        let _ = place.clone().ask_back().await;
        Ok(found)
    }

    /// The connection is no longer used.
    pub(crate) fn disconnect(&self) {
        self.remote.set(None);
        self.version.set(None);
    }

    /// Whether it waits for memory.
    pub(crate) fn starve(&self, starved: bool) {
        self.starved.set(starved);
    }

    pub(crate) fn is_starved(&self) -> bool {
        self.starved.get()
    }

    /// A reply's body begins to come.
    pub(crate) fn receive(&self, content_type: Option<&str>) {
        self.received.replace(Received { body: Vec::new(), content_type: content_type.map(str::to_owned) });
    }

    /// What has come of the body of the last reply.
    pub(crate) fn received(&self) -> RefMut<'_, Received> {
        self.received.borrow_mut()
    }

    /// How it went up to now.
    pub(crate) fn trace(&self) -> Trace {
        Trace {
            phases: self.phases(),
            redirects: self.redirects.get(),
            remote: self.remote.get(),
            version: self.version.get(),
            target: self.target.borrow().clone(),
        }
    }

    pub(crate) fn limit(&self) -> Duration {
        self.limit
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.started.elapsed()
    }

    /// What is left until the deadline.
    pub(crate) fn remaining(&self) -> Duration {
        self.limit.saturating_sub(self.elapsed())
    }

    /// From here on, the time goes to `phase`. What passed before the first phase is counted to the first.
    pub(crate) fn enter(&self, phase: Phase) {
        match self.current.replace(Some(phase)) {
            Some(same) if same == phase => return,
            // The clock is not asked on the common path: a pooled connection goes straight to the exchange.
            None => {}
            Some(before) => {
                let now = Instant::now();
                self.add(before, now - self.since.replace(now));
            }
        }
        self.add(phase, Duration::ZERO);
    }

    /// The phases up to now, in whole microseconds, so that the figures in a message add up as well.
    ///
    /// Their sum is the elapsed time; each that was entered has at least 1 µs.
    pub(crate) fn phases(&self) -> Phases {
        let now = Instant::now();
        let current = self.current.get().unwrap_or(Phase::Exchange);
        self.add(current, now - self.since.replace(now));
        let mut micros = [0u64; 3];
        for (micros, spent) in micros.iter_mut().zip(&self.spent) {
            *micros = spent.get().map_or(0, |spent| (spent.as_micros() as u64).max(1));
        }
        // Rounding is made good where it is felt least.
        let total = (now - self.started).as_micros() as u64;
        let longest = (0..micros.len()).max_by_key(|&at| micros[at]).unwrap_or_default();
        let others = micros.iter().sum::<u64>() - micros[longest];
        micros[longest] = total.saturating_sub(others).max(1);
        let [dns, handshake, exchange] = micros.map(Duration::from_micros);
        Phases { dns, handshake, exchange }
    }

    fn add(&self, phase: Phase, time: Duration) {
        let spent = &self.spent[phase as usize];
        spent.set(Some(spent.get().unwrap_or_default() + time));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn progress_begun(ago: Duration) -> Progress {
        let progress = Progress::start(Duration::from_secs(1), Target::parse("http://a/").unwrap(), None);
        let then = Instant::now() - ago;
        progress.since.set(then);
        Progress { started: then, ..progress }
    }

    #[test]
    fn a_cut_phase_gets_the_time_and_later_ones_none() {
        let progress = progress_begun(Duration::from_millis(5));
        progress.enter(Phase::Dns);
        let phases = progress.phases();
        assert!(phases.dns >= Duration::from_millis(5), "{phases:?}");
        assert_eq!((phases.handshake, phases.exchange), (Duration::ZERO, Duration::ZERO));
    }

    #[test]
    fn entered_phases_are_above_zero_and_add_up() {
        let progress = progress_begun(Duration::from_millis(5));
        progress.enter(Phase::Dns);
        progress.enter(Phase::Handshake);
        progress.enter(Phase::Exchange);
        let before = progress.elapsed();
        let phases = progress.phases();
        assert!(phases.handshake >= Duration::from_micros(1), "{phases:?}");
        assert!(phases.exchange >= Duration::from_micros(1), "{phases:?}");
        assert!(phases.total() >= before - Duration::from_micros(1), "{phases:?} {before:?}");
        assert!(phases.total() <= progress.elapsed(), "{phases:?}");
    }

    #[test]
    fn a_hop_over_a_pooled_connection_counts_as_exchange_only() {
        let progress = progress_begun(Duration::from_millis(5));
        progress.enter(Phase::Exchange);
        progress.enter(Phase::Exchange);
        let phases = progress.phases();
        assert!(phases.exchange >= Duration::from_millis(5));
        assert_eq!((phases.dns, phases.handshake), (Duration::ZERO, Duration::ZERO));
    }
}
