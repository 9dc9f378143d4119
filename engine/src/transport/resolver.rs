//! Finds the addresses of names.
//!
//! The system is asked (getaddrinfo), so that a name means here what it means to every other program of the machine.
//! Requests for the same name share one look-up, and its result is kept for a moment. A look-up that hangs holds up
//! only the requests for that name.

mod lookups;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::{LocalBoxFuture, Shared};
use tokio::time::timeout_at;

use crate::address::Addresses;
use crate::address::localhost::{self, is_localhost};
use crate::message::failure::{Failure, FailureKind};
use lookups::{Lookups, Repute};

/// How long the result of a look-up is used. The system does not tell how long it is valid. This is short enough for
/// a name that changes, and long enough for a burst to ask once.
const KEEP: Lifetimes = Lifetimes { answers: Duration::from_secs(5), failures: Duration::from_secs(1) };
/// How long a look-up is waited for. The system has limits of its own, from resolv.conf: by default, two dead name
/// servers cost 10 s, and as much again with each search domain. This limit is for a resolver without any.
const GIVE_UP: Duration = Duration::from_secs(30);
/// A name whose look-up took longer waits behind the others the next time, if there are very many.
const SLOW: Duration = Duration::from_secs(2);
/// How long it is remembered whether a name is slow.
const MEMORY: Duration = Duration::from_secs(10 * 60);
/// Beyond this many names, those without a current look-up are forgotten.
const MAX_REMEMBERED: usize = 10_000;

#[derive(Clone, Copy)]
struct Lifetimes {
    answers: Duration,
    failures: Duration,
}

/// The result of a look-up.
#[derive(Clone)]
struct Answer {
    found: Result<Addresses, Failure>,
    at: Instant,
}

type Lookup = LocalBoxFuture<'static, Answer>;

type Ask = Box<dyn Fn(&str, Repute) -> Lookup>;

/// Asks for the addresses of names.
pub(crate) struct Resolver {
    names: RefCell<Names>,
    keep: Lifetimes,
    ask: Ask,
}

#[derive(Default)]
struct Names {
    names: HashMap<Box<str>, Name>,
    /// At which number to forget some.
    full: usize,
}

/// What is known of a name.
struct Name {
    /// The last look-up, under way or done. None if its result is not to be used any more.
    lookup: Option<Shared<Lookup>>,
    /// When it began.
    since: Instant,
    /// How the one before it went.
    repute: Repute,
}

impl Resolver {
    /// Asks the system.
    pub(crate) fn system() -> Self {
        let lookups = Lookups::new(lookups::ask_system);
        Self::asking(KEEP, move |name, repute| lookups.begin(name, repute).boxed_local())
    }

    fn asking(keep: Lifetimes, ask: impl Fn(&str, Repute) -> Lookup + 'static) -> Self {
        Self { names: RefCell::default(), keep, ask: Box::new(ask) }
    }

    /// Answers with what `answer` says, each time, for tests.
    #[cfg(test)]
    pub(crate) fn answering(answer: impl Fn(&str) -> Vec<SocketAddr> + 'static) -> Self {
        Self::told(Duration::ZERO, answer)
    }

    /// The same, and remembers it.
    #[cfg(test)]
    pub(crate) fn remembering(answer: impl Fn(&str) -> Vec<SocketAddr> + 'static) -> Self {
        Self::told(MEMORY, answer)
    }

    #[cfg(test)]
    fn told(keep: Duration, answer: impl Fn(&str) -> Vec<SocketAddr> + 'static) -> Self {
        Self::asking(Lifetimes { answers: keep, failures: keep }, move |name, _| {
            let found = Ok(answer(name).into());
            std::future::ready(Answer { found, at: Instant::now() }).boxed_local()
        })
    }

    /// The addresses of a name, in the order in which they should be tried (RFC 6724), at least one.
    pub(crate) async fn resolve(&self, name: &str) -> Result<Addresses, Failure> {
        if is_localhost(name) {
            return Ok(localhost::addresses().map(|address| SocketAddr::new(address, 0)).collect());
        }
        let (lookup, since) = self.join(name, Instant::now());
        match timeout_at((since + GIVE_UP).into(), lookup).await {
            Ok(answer) => answer.found,
            Err(_) => Err(failure(format_args!("the look-up was given up after {GIVE_UP:?}"))),
        }
    }

    /// Forgets results. The next request asks again.
    pub(crate) fn forget(&self) {
        let now = Instant::now();
        for name in self.names.borrow_mut().names.values_mut() {
            name.repute = name.judge(now);
            name.lookup = None;
        }
    }

    /// A look-up whose result may be used, under way or done, and when it began.
    fn join(&self, host: &str, now: Instant) -> (Shared<Lookup>, Instant) {
        let mut names = self.names.borrow_mut();
        let known = names.names.get(host);
        if let Some(Name { lookup: Some(lookup), since, .. }) = known
            && self.is_good(lookup, *since, now)
        {
            return (lookup.clone(), *since);
        }
        let repute = known.map_or(Repute::New, |name| name.judge(now));
        let lookup = (self.ask)(host, repute).shared();
        names.make_room(now);
        names.names.insert(host.into(), Name { lookup: Some(lookup.clone()), since: now, repute });
        (lookup, now)
    }

    fn is_good(&self, lookup: &Shared<Lookup>, since: Instant, now: Instant) -> bool {
        // All that waited for it may be gone. Then this is the first to look.
        match lookup.clone().now_or_never() {
            Some(Answer { found: Ok(_), at }) => now < at + self.keep.answers,
            Some(Answer { found: Err(_), at }) => now < at + self.keep.failures,
            None => now < since + GIVE_UP,
        }
    }
}

impl Name {
    /// What to expect of the next look-up.
    fn judge(&self, now: Instant) -> Repute {
        let Some(lookup) = &self.lookup else { return self.repute };
        let end = lookup.clone().now_or_never().map_or(now, |answer| answer.at);
        if end.saturating_duration_since(self.since) < SLOW { Repute::Prompt } else { Repute::Slow }
    }
}

impl Names {
    /// Forgets names now and then, but not those with a look-up under way.
    fn make_room(&mut self, now: Instant) {
        if self.names.len() < self.full {
            return;
        }
        let is_recent = |name: &Name| now < name.since + MEMORY;
        self.names.retain(|_, name| is_recent(name));
        if self.names.len() >= MAX_REMEMBERED {
            self.names.retain(|_, name| now < name.since + GIVE_UP);
        }
        self.full = (self.names.len() * 2).max(64);
    }
}

fn failure(detail: impl std::fmt::Display) -> Failure {
    Failure::new(FailureKind::Resolve).with_detail(detail)
}
