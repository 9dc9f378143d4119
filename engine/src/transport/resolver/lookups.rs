//! Look-ups, each on a thread of its own: the system's resolver blocks, and a call of it cannot be cancelled.

use std::collections::VecDeque;
use std::future::Future;
use std::io;
use std::net::ToSocketAddrs;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use tokio::sync::oneshot;

use super::{Answer, GIVE_UP, failure};
use crate::address::Addresses;
use crate::message::failure::Failure;

/// What to expect of a look-up, by how the last one of the same name went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Repute {
    /// It ends soon, with an answer or without.
    Prompt,
    /// The name was not asked for lately.
    New,
    /// It takes long.
    Slow,
}

/// Look-ups at a time. Each costs a thread, of which the system may have few; a name has one for all requests.
///
/// Decided: slow names get half, and the last eighth is for names that were prompt. So many names that hang do not
/// hold up a new one, and many new names that hang do not hold up one that is known to answer.
pub(super) const MOST: usize = 256;
pub(super) const MOST_SLOW: usize = MOST / 2;
pub(super) const MOST_UNSURE: usize = MOST - MOST / 8;
/// Enough for the modules that nsswitch.conf may name. Only what is used is taken.
const STACK: usize = 512 * 1024;

type Found = Result<Addresses, Failure>;

/// Runs look-ups, up to the limit; the others wait.
pub(super) struct Lookups(Arc<Desk>);

struct Desk {
    state: Mutex<State>,
    ask: Box<dyn Fn(&str) -> Found + Send + Sync>,
}

#[derive(Default)]
struct State {
    /// By repute.
    waiting: [VecDeque<Job>; 3],
    busy: [usize; 3],
}

struct Job {
    name: Box<str>,
    repute: Repute,
    since: Instant,
    reply: oneshot::Sender<Answer>,
}

impl Lookups {
    pub(super) fn new(ask: impl Fn(&str) -> Found + Send + Sync + 'static) -> Self {
        Self(Arc::new(Desk { state: Mutex::default(), ask: Box::new(ask) }))
    }

    /// Has a name looked up, even if the caller stops waiting.
    pub(super) fn begin(&self, name: &str, repute: Repute) -> impl Future<Output = Answer> + use<> {
        let (reply, answer) = oneshot::channel();
        let job = Job { name: name.into(), repute, since: Instant::now(), reply };
        let next = {
            let mut state = self.0.state();
            state.waiting[repute as usize].push_back(job);
            state.take()
        };
        if let Some(job) = next {
            self.0.clone().spawn(job);
        }
        async {
            answer.await.unwrap_or_else(|_| Answer {
                found: Err(failure("there was no thread for the look-up")),
                at: Instant::now(),
            })
        }
    }
}

impl Drop for Lookups {
    fn drop(&mut self) {
        // Those that hang are left alone: they cannot be ended, and do no harm.
        self.0.state().waiting = Default::default();
    }
}

impl Desk {
    fn state(&self) -> MutexGuard<'_, State> {
        // No step under the lock leaves the state half changed.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The thread inherits the signal mask of the engine's.
    fn spawn(self: Arc<Self>, job: Job) {
        let repute = job.repute;
        let desk = self.clone();
        let thread = thread::Builder::new().name("pg_net resolver".to_owned()).stack_size(STACK);
        if thread.spawn(move || desk.work(job)).is_err() {
            // The job is gone with the closure, which its caller hears.
            self.state().busy[repute as usize] -= 1;
        }
    }

    fn work(&self, first: Job) {
        let mut next = Some(first);
        while let Some(Job { name, repute, reply, .. }) = next {
            let found = (self.ask)(&name);
            // It is not received if the engine has stopped.
            let _ = reply.send(Answer { found, at: Instant::now() });
            let mut state = self.state();
            state.busy[repute as usize] -= 1;
            next = state.take();
        }
    }
}

impl State {
    /// The next job that may begin. It counts as begun.
    fn take(&mut self) -> Option<Job> {
        for repute in [Repute::Prompt, Repute::New, Repute::Slow] {
            // After that long, its caller has given up.
            while self.waiting[repute as usize].front().is_some_and(|job| job.since.elapsed() >= GIVE_UP) {
                self.waiting[repute as usize].pop_front();
            }
            if self.may_begin(repute)
                && let Some(job) = self.waiting[repute as usize].pop_front()
            {
                self.busy[repute as usize] += 1;
                return Some(job);
            }
        }
        None
    }

    fn may_begin(&self, repute: Repute) -> bool {
        let busy = self.busy.iter().sum::<usize>();
        match repute {
            Repute::Prompt => busy < MOST,
            Repute::New => busy < MOST_UNSURE,
            Repute::Slow => busy < MOST_UNSURE && self.busy[Repute::Slow as usize] < MOST_SLOW,
        }
    }
}

/// As every program of this machine would.
pub(super) fn ask_system(name: &str) -> Found {
    let found = (name, 0).to_socket_addrs().map_err(|error: io::Error| failure(error))?;
    let addresses = found.collect::<Addresses>();
    if addresses.is_empty() { Err(failure("the name has no address")) } else { Ok(addresses) }
}
