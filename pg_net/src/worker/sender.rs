//! The engine as the worker holds it: started with every signal masked, and waited for together with the latch.

use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::{Engine, OriginNews, Policy, Request};
use nix::sys::eventfd::{EfdFlags, EventFd};
use nix::sys::signal::{SigSet, SigmaskHow};

use super::descriptors;
use super::record::Record;
use crate::pg::wait::WaitSet;
use crate::shared::waiters;

/// Outcomes are taken no more often than this: to record a few costs nearly as much as to record many, above all where the disk
/// is waited for each time.
const GATHER: Duration = Duration::from_millis(2);

pub(super) struct Sender {
    engine: Engine,
    /// The engine writes to it when outcomes have come.
    event: Arc<EventFd>,
    wait_set: WaitSet,
    /// Until when outcomes are left to gather.
    gathers_until: Instant,
}

impl Sender {
    pub(super) fn new(policy: Policy) -> Self {
        let event = EventFd::from_flags(EfdFlags::EFD_NONBLOCK | EfdFlags::EFD_CLOEXEC)
            .unwrap_or_else(|error| panic!("could not make an eventfd: {error}"));
        let event = Arc::new(event);
        let wait_set = WaitSet::new(&event);
        descriptors::raise_limit();
        Self { engine: start(policy, &event), event, wait_set, gathers_until: Instant::now() }
    }

    pub(super) fn is_alive(&self) -> bool {
        self.engine.is_alive()
    }

    /// Starts a new engine in the place of one that died.
    pub(super) fn revive(&mut self, policy: Policy) {
        self.engine = start(policy, &self.event);
    }

    /// Applies a configuration that was read anew; the files that it names may have changed, too.
    pub(super) fn set_policy(&self, policy: Policy) {
        self.engine.set_policy(descriptors::bound(policy));
        self.engine.reload_files();
    }

    /// Hands requests over. False if the engine has died; they stay queued.
    pub(super) fn submit(&self, requests: Vec<Request>) -> bool {
        self.engine.submit(requests).is_ok()
    }

    /// Whether outcomes are left to gather. Where somebody waits for one, they are only while others are to come.
    pub(super) fn gathers(&self, now: Instant) -> bool {
        self.deadline(now).is_some() && (self.engine.under_way() > 0 || !waiters::are_there())
    }

    /// When to take the outcomes that were left to gather. Nobody tells of them, so it is no matter whether they still
    /// [gather](Self::gathers): somebody may have begun to wait meanwhile.
    pub(super) fn deadline(&self, now: Instant) -> Option<Instant> {
        (now < self.gathers_until).then_some(self.gathers_until)
    }

    /// Moves the outcomes that have come to where they are recorded, and leaves what comes from now on to gather.
    pub(super) fn drain(&mut self, now: Instant, record: &mut Record) {
        let before = record.inbox().len();
        if waiters::are_there() {
            self.engine.drain(record.inbox());
        } else {
            self.engine.drain_and_come_again(record.inbox());
        }
        if record.inbox().len() > before {
            self.gathers_until = now + GATHER;
        }
    }

    /// Moves the outcomes that have come to where they are recorded; of what comes after that, [`wait`](Self::wait) tells at once.
    pub(super) fn drain_and_wait_for_more(&self, record: &mut Record) {
        self.engine.drain(record.inbox());
    }

    /// What has become of origins, asked for after [`drain`](Self::drain).
    pub(super) fn news(&self) -> OriginNews {
        self.engine.take_news()
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

/// Starts an engine whose threads take no signal: Postgres' handlers belong to the main thread.
fn start(policy: Policy, event: &Arc<EventFd>) -> Engine {
    let event = Arc::clone(event);
    let before = SigSet::all()
        .thread_swap_mask(SigmaskHow::SIG_SETMASK)
        .unwrap_or_else(|error| panic!("could not mask the signals: {error}"));
    let engine = Engine::start(descriptors::bound(policy), move || {
        // It fails only where the counter is full, and then the worker is being woken already.
        let _ = event.write(1);
    });
    before.thread_set_mask().unwrap_or_else(|error| panic!("could not restore the signal mask: {error}"));
    engine.unwrap_or_else(|error| panic!("could not start the engine: {error}"))
}
