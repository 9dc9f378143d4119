//! Who waits for a connection on a route, and when another one is opened for it.
//!
//! To open a connection costs both ends as much as a dozen requests on one that is open. So of many requests that start at
//! once not all have one opened: the others wait a moment for one that is given back. Only a request that has waited in vain
//! has another opened, and these one after the other, so that an origin which does not answer takes little time from those that
//! do.

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
/// How long a request waits for one that is given back, where so many are open.
const PATIENCE: Duration = Duration::from_millis(20);
/// Where some were given back before: how long none is until it waits no more, since all are with slow replies.
const LULL: Duration = Duration::from_millis(5);
/// The time from one that is opened then to the next.
const PACE: Duration = Duration::from_millis(1);
/// How long a request waits at most: then it has one opened, however many others have.
const AT_MOST: Duration = Duration::from_millis(100);
/// By how much a look is late that says nothing about how long one had to wait.
const LATE: Duration = Duration::from_millis(2);

/// What a request that wants a connection gets.
pub(crate) enum Turn<C, U = C> {
    /// One that is open.
    Use(U),
    /// Leave to open one.
    Open(Permit<C>),
}

/// The connections on a route, counted, and the requests that wait for one.
pub(crate) struct Opening<C>(RefCell<State<C>>);

struct State<C> {
    /// How many are open or being opened.
    open: usize,
    /// How many may be.
    room: usize,
    /// When one was last given back.
    given_back: Option<Instant>,
    waiting: VecDeque<Waiting<C>>,
    /// Whether a task looks after them.
    looked_after: bool,
}

struct Waiting<C> {
    since: Instant,
    turn: oneshot::Sender<Turn<C>>,
}

/// Stands for a connection from before it is opened until it is closed.
pub(crate) struct Permit<C>(Rc<Opening<C>>);

impl<C> Default for Opening<C> {
    fn default() -> Self {
        Self(RefCell::new(State {
            open: 0,
            room: AT_ONCE,
            given_back: None,
            waiting: VecDeque::new(),
            looked_after: false,
        }))
    }
}

impl<C> State<C> {
    /// The first of those that still wait.
    fn first(&mut self) -> Option<&Waiting<C>> {
        while self.waiting.front()?.turn.is_closed() {
            self.waiting.pop_front();
        }
        self.waiting.front()
    }

    /// When the first of those that wait has waited long enough.
    fn patience_ends(&mut self) -> Option<Instant> {
        let since = self.first()?.since;
        // Where more wait than are open, they are a crowd that came at once: one more does little for it.
        let given_back = self.given_back.filter(|_| self.waiting.len() < self.open);
        let lull_ends = given_back.map(|last| last.max(since) + LULL);
        Some(lull_ends.into_iter().fold(since + PATIENCE, Instant::min))
    }
}

impl<C> Opening<C> {
    /// Leave to open a connection, or a place among those who wait. They have to be [looked after](Self::look_after).
    pub(crate) fn ask(self: &Rc<Self>, now: Instant) -> Result<Permit<C>, oneshot::Receiver<Turn<C>>> {
        let mut state = self.0.borrow_mut();
        if state.open < state.room && state.first().is_none() {
            drop(state);
            return Ok(self.permit());
        }
        drop(state);
        Err(self.wait(now))
    }

    /// A place among those who wait, however few connections are open.
    pub(crate) fn wait(&self, now: Instant) -> oneshot::Receiver<Turn<C>> {
        let (turn, receiver) = oneshot::channel();
        self.0.borrow_mut().waiting.push_back(Waiting { since: now, turn });
        receiver
    }

    /// Leave to open a connection, whoever waits.
    pub(crate) fn permit(self: &Rc<Self>) -> Permit<C> {
        self.0.borrow_mut().open += 1;
        Permit(self.clone())
    }

    /// Makes room for the first, if it has waited long enough, and for all that have waited too long. When to look again; `None` if
    /// nobody waits.
    fn look(self: &Rc<Self>, now: Instant) -> Option<Instant> {
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

    /// Lets the first ones open connections, as far as there is room.
    fn admit(self: &Rc<Self>) {
        loop {
            let mut state = self.0.borrow_mut();
            if state.open >= state.room || state.first().is_none() {
                return;
            }
            let first = state.waiting.pop_front();
            drop(state);
            let permit = self.permit();
            if let Some(Waiting { turn, .. }) = first {
                let _ = turn.send(Turn::Open(permit));
            }
        }
    }
}

impl<C: 'static> Opening<C> {
    /// Has a task look after those who wait, as long as there are any.
    pub(crate) fn look_after(self: &Rc<Self>) {
        if std::mem::replace(&mut self.0.borrow_mut().looked_after, true) {
            return;
        }
        let opening = self.clone();
        spawn_local(async move {
            while let Some(at) = opening.look(Instant::now()) {
                sleep_until(at.into()).await;
                // They may have waited only for this process to run: then what is open serves them soon.
                if at.elapsed() > LATE {
                    sleep(PATIENCE).await;
                }
            }
            opening.0.borrow_mut().looked_after = false;
        });
    }
}

impl<C> Opening<C> {
    /// Gives a connection that is not in use, or a share in one, to the first who waits. It comes back where nobody does.
    pub(crate) fn offer(&self, mut connection: C, now: Instant) -> Option<C> {
        self.0.borrow_mut().given_back = Some(now);
        loop {
            let mut state = self.0.borrow_mut();
            if state.first().is_none() {
                return Some(connection);
            }
            let first = state.waiting.pop_front()?;
            drop(state);
            match first.turn.send(Turn::Use(connection)) {
                Err(Turn::Use(unwanted)) => connection = unwanted,
                _ => return None,
            }
        }
    }

    /// Whether somebody waits.
    pub(crate) fn is_waited_for(&self) -> bool {
        self.0.borrow_mut().first().is_some()
    }
}

impl<C> Permit<C> {
    pub(crate) fn opening(&self) -> &Rc<Opening<C>> {
        &self.0
    }
}

impl<C> Drop for Permit<C> {
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
