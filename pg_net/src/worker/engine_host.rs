//! The engine as the worker holds it: started with every signal masked, and waited for together with the latch.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
use std::time::{Duration, Instant};

use engine::{Engine, Key, OriginEvents, Outcome, Policy, Request};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, SigmaskHow};
use pg_net_core::coalesce::OutcomeCoalescer;

use super::claim::Sender;
use crate::pg::process::wait::WaitSet;
use crate::shmem::{self, waiters};

mod descriptors;
mod origins;

use origins::Origins;

pub(super) struct EngineHost {
    engine: Engine,
    /// The engine writes to it when outcomes have come.
    event: Arc<EventFd>,
    wait_set: WaitSet,
    permit: Arc<Permit>,
    coalescer: OutcomeCoalescer,
    origins: Origins,
}

impl EngineHost {
    pub(super) fn new(policy: Policy, paused: bool) -> Self {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .unwrap_or_else(|error| panic!("could not make an eventfd: {error}"));
        let event = Arc::new(event);
        let wait_set = WaitSet::new(&event);
        descriptors::raise_limit();
        let handled_removals = AtomicU64::new(shmem::get().my_slot().removals.count());
        let permit = Arc::new(Permit { paused: AtomicBool::new(paused), handled_removals });
        Self {
            engine: start(policy, &event, &permit),
            event,
            wait_set,
            permit,
            coalescer: OutcomeCoalescer::new(Instant::now()),
            origins: Origins::new(),
        }
    }

    /// Whether requests wait. What is under way goes on.
    pub(super) fn set_paused(&self, paused: bool) {
        self.permit.paused.store(paused, SeqCst);
        self.engine.ask_again();
    }

    pub(super) fn is_alive(&self) -> bool {
        self.engine.is_alive()
    }

    /// Starts a new engine in the place of one that died, which knows nothing of any origin.
    pub(super) fn revive(&mut self, policy: Policy) {
        self.engine = start(policy, &self.event, &self.permit);
        self.origins.clear();
    }

    /// Applies a configuration that was read again; the files that it names may have changed, too.
    pub(super) fn set_policy(&self, policy: Policy) {
        self.engine.set_policy(descriptors::bound(policy));
        self.engine.reload_files();
    }

    /// Hands requests over. False if the engine has died; they stay queued.
    pub(super) fn submit(&self, requests: Vec<Request>) -> bool {
        self.engine.submit(requests).is_ok()
    }

    /// Whether outcomes are left to gather. Where a session waits for one, they are only while others are to come.
    pub(super) fn gathers(&self, now: Instant) -> bool {
        self.deadline(now).is_some() && (self.engine.under_way() > 0 || !waiters::are_there())
    }

    /// When to take the outcomes that were left to gather. The engine does not tell of them, so it is no matter whether they still
    /// [gather](Self::gathers): a session may have begun to wait meanwhile.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        self.coalescer.deadline(now)
    }

    /// Moves the outcomes that have come to where they are recorded. Where they come in quick succession, it leaves what comes from now
    /// on to gather.
    pub(super) fn drain(&mut self, now: Instant, inbox: &mut Vec<Outcome>) {
        let is_quick = self.coalescer.is_quick(now);
        let before = inbox.len();
        if !is_quick || waiters::are_there() {
            self.engine.drain(inbox);
        } else {
            self.engine.drain_and_come_again(inbox);
        }
        if is_quick && inbox.len() > before {
            self.coalescer.gather(now);
        }
    }

    /// Outcomes were recorded just now.
    pub(super) fn note_recorded(&mut self) {
        self.coalescer.recorded(Instant::now());
    }

    /// Moves the outcomes that have come to where they are recorded; of what comes after that, [`wait`](Self::wait) tells at once.
    pub(super) fn drain_and_wait_for_more(&self, inbox: &mut Vec<Outcome>) {
        self.engine.drain(inbox);
    }

    /// What has become of origins, which is shown; asked for after [`drain`](Self::drain).
    pub(super) fn news(&mut self) -> OriginEvents {
        let news = self.engine.take_events();
        news.states.iter().for_each(|state| self.origins.show(state));
        news
    }

    pub(super) fn under_way(&self) -> usize {
        self.engine.under_way()
    }

    /// Waits for the latch, for outcomes, or for the time to be up.
    pub(super) fn wait(&self, timeout: Option<Duration>) {
        if self.wait_set.wait(timeout) {
            // Nothing is lost by an error: the event then stays readable.
            let _ = self.event.read();
        }
    }

    pub(super) fn close(&self) {
        self.engine.close();
    }

    pub(super) fn stop(self) {
        self.engine.stop();
    }
}

impl Sender for EngineHost {
    fn take_back(&mut self, keys: Vec<Key>) -> (Vec<Key>, OriginEvents) {
        (self.engine.take_back(keys), self.news())
    }

    fn take_all_back(&self) {
        self.engine.take_all_back();
    }

    fn handled_removals(&self) -> u64 {
        self.permit.handled_removals.load(SeqCst)
    }

    fn set_handled_removals(&self, removals: u64) {
        self.permit.handled_removals.store(removals, SeqCst);
        self.engine.ask_again();
    }

    fn start_now(&self) {
        if !self.permit.paused.load(SeqCst) {
            self.engine.start_now();
        }
    }
}

/// What the engine's thread looks at before it starts a request.
struct Permit {
    paused: AtomicBool,
    /// The removals from the queue that were looked after.
    handled_removals: AtomicU64,
}

/// Starts an engine whose threads take no signal: Postgres' handlers belong to the main thread.
fn start(policy: Policy, event: &Arc<EventFd>, permit: &Arc<Permit>) -> Engine {
    let event = Arc::clone(event);
    let permit = Arc::clone(permit);
    // Shared memory stays where it is for as long as the process lives.
    let removals = &shmem::get().my_slot().removals;
    let may_start = move || !permit.paused.load(SeqCst) && removals.count() == permit.handled_removals.load(SeqCst);
    let before = SigSet::all()
        .thread_swap_mask(SigmaskHow::SIG_SETMASK)
        .unwrap_or_else(|error| panic!("could not mask the signals: {error}"));
    let engine = Engine::start_if(descriptors::bound(policy), may_start, move || {
        // It fails only where the counter is full, and then the worker is being woken already.
        let _ = event.write(1);
    });
    before.thread_set_mask().unwrap_or_else(|error| panic!("could not restore the signal mask: {error}"));
    engine.unwrap_or_else(|error| panic!("could not start the engine: {error}"))
}
