//! Which requests wait for a connection on a route, and when another one is opened for them.
//!
//! Opening a connection costs both ends as much as a dozen requests on an open one. Of many requests that start at
//! once, most therefore wait a moment for a connection that is given back. Only for a request that has waited long
//! enough another one is opened, and these one after the other, so that an origin which does not answer takes little
//! time from those that do.

#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use tokio::task::spawn_local;
use tokio::time::{sleep, sleep_until};

/// Connections on a route that are opened as soon as they are wanted.
const AT_ONCE: usize = 32;
/// With that many open, how long a request waits for one to be given back.
const PATIENCE: Duration = Duration::from_millis(20);
/// Where connections have been given back: how long none is until a request stops waiting, because all of them are
/// busy with slow replies.
const LULL: Duration = Duration::from_millis(5);
/// The pause between connections that are opened for requests which have waited long enough.
const PACE: Duration = Duration::from_millis(1);
/// How long a request waits at most. After that it opens a connection, however many others do.
const AT_MOST: Duration = Duration::from_millis(100);
/// If the timer fires later than this, the process did not run, and the time that requests have waited says nothing.
const LATE: Duration = Duration::from_millis(2);

/// What a request that needs a connection gets.
pub(crate) enum Acquired<C, U = C> {
    /// An open one.
    Connection(U),
    /// The right to open one.
    Slot(Slot<C>),
}

/// The connections on a route, counted, and the requests that wait for one.
pub(crate) struct ConnectionSlots<C>(RefCell<State<C>>);

struct State<C> {
    /// How many are open or being opened.
    open: usize,
    /// How many may be.
    room: usize,
    /// When one was given back last.
    given_back: Option<Instant>,
    waiting: VecDeque<Waiting<C>>,
    /// Whether a task watches those that wait.
    watched: bool,
}

struct Waiting<C> {
    since: Instant,
    reply: oneshot::Sender<Acquired<C>>,
}

/// Counts a connection from before it is opened until it is closed.
pub(crate) struct Slot<C>(Rc<ConnectionSlots<C>>);

impl<C> Default for ConnectionSlots<C> {
    fn default() -> Self {
        Self(RefCell::new(State { open: 0, room: AT_ONCE, given_back: None, waiting: VecDeque::new(), watched: false }))
    }
}

impl<C> State<C> {
    /// The first request that still waits.
    fn first(&mut self) -> Option<&Waiting<C>> {
        while self.waiting.front()?.reply.is_closed() {
            self.waiting.pop_front();
        }
        self.waiting.front()
    }

    /// When the first request that waits has waited long enough.
    fn patience_ends(&mut self) -> Option<Instant> {
        let since = self.first()?.since;
        // Where more requests wait than connections are open, they came at once, and one more connection does little
        // for them.
        let given_back = self.given_back.filter(|_| self.waiting.len() < self.open);
        let lull_ends = given_back.map(|last| last.max(since) + LULL);
        Some(lull_ends.into_iter().fold(since + PATIENCE, Instant::min))
    }
}

impl<C> ConnectionSlots<C> {
    /// The right to open a connection, or else a place among those that wait. The caller then starts to
    /// [watch](Self::watch_waiting) them.
    pub(crate) fn acquire(self: &Rc<Self>, now: Instant) -> Result<Slot<C>, oneshot::Receiver<Acquired<C>>> {
        let mut state = self.0.borrow_mut();
        if state.open < state.room && state.first().is_none() {
            drop(state);
            return Ok(self.take());
        }
        drop(state);
        Err(self.wait(now))
    }

    /// A place among those that wait, however few connections are open.
    pub(crate) fn wait(&self, now: Instant) -> oneshot::Receiver<Acquired<C>> {
        let (reply, receiver) = oneshot::channel();
        self.0.borrow_mut().waiting.push_back(Waiting { since: now, reply });
        receiver
    }

    /// The right to open a connection, whether others wait or not.
    pub(crate) fn take(self: &Rc<Self>) -> Slot<C> {
        self.0.borrow_mut().open += 1;
        Slot(self.clone())
    }

    /// Makes room for the first request if it has waited long enough, and for all that have waited too long. When to
    /// do so again; `None` if none waits.
    fn admit_overdue(self: &Rc<Self>, now: Instant) -> Option<Instant> {
        let mut state = self.0.borrow_mut();
        let patience_ends = state.patience_ends()?;
        if patience_ends > now {
            return Some(patience_ends);
        }
        let overdue = state.waiting.iter().take_while(|waiting| now >= waiting.since + AT_MOST).count();
        state.room = state.room.max(state.open) + overdue.max(1);
        drop(state);
        self.admit();
        let next = self.0.borrow_mut().patience_ends()?;
        Some(next.max(now + PACE))
    }

    /// Lets the first requests open connections, as far as there is room.
    fn admit(self: &Rc<Self>) {
        loop {
            let mut state = self.0.borrow_mut();
            if state.open >= state.room || state.first().is_none() {
                return;
            }
            let first = state.waiting.pop_front();
            drop(state);
            let slot = self.take();
            if let Some(Waiting { reply, .. }) = first {
                let _ = reply.send(Acquired::Slot(slot));
            }
        }
    }
}

impl<C: 'static> ConnectionSlots<C> {
    /// Starts a task that watches those that wait, as long as there are any.
    pub(crate) fn watch_waiting(self: &Rc<Self>) {
        if std::mem::replace(&mut self.0.borrow_mut().watched, true) {
            return;
        }
        let slots = self.clone();
        spawn_local(async move {
            while let Some(at) = slots.admit_overdue(Instant::now()) {
                sleep_until(at.into()).await;
                // Connections that are open will serve them soon.
                if at.elapsed() > LATE {
                    sleep(PATIENCE).await;
                }
            }
            slots.0.borrow_mut().watched = false;
        });
    }
}

impl<C> ConnectionSlots<C> {
    /// Gives a connection that is not in use, or a share in one, to the first request that waits. Gives it back if
    /// none does.
    pub(crate) fn offer(&self, mut connection: C, now: Instant) -> Option<C> {
        self.0.borrow_mut().given_back = Some(now);
        loop {
            let mut state = self.0.borrow_mut();
            if state.first().is_none() {
                return Some(connection);
            }
            let first = state.waiting.pop_front()?;
            drop(state);
            match first.reply.send(Acquired::Connection(connection)) {
                Err(Acquired::Connection(unwanted)) => connection = unwanted,
                _ => return None,
            }
        }
    }

    /// Whether a request waits.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.0.borrow_mut().first().is_some()
    }
}

impl<C> Slot<C> {
    pub(crate) fn slots(&self) -> &Rc<ConnectionSlots<C>> {
        &self.0
    }
}

impl<C> Drop for Slot<C> {
    fn drop(&mut self) {
        let mut state = self.0.0.borrow_mut();
        state.open -= 1;
        if state.open == 0 {
            state.room = AT_ONCE;
            state.given_back = None;
        }
        drop(state);
        self.0.admit();
    }
}
