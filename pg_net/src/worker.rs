//! The background worker: claims waiting requests, hands them to the engine, records the outcomes.
//!
//! Only this process' main thread touches Postgres. The engine has a thread of its own, and the two meet at a queue each way
//! and an eventfd, which the main thread waits on together with its latch.

use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::{pg_guard, pg_sys};

use crate::pg::transaction::{report_idle, report_statistics};
use crate::pg::{cancel, latch, server};
use crate::settings;
use crate::shared::{self, questions, waiters};

mod backoff;
mod claim;
mod descriptors;
mod expire;
mod origins;
mod outcomes;
mod queue_row;
mod record;
mod schedule;
mod sender;
mod start;
mod store;
mod tables;
mod withheld;

use claim::Claim;
use expire::Expire;
use origins::Origins;
use record::Record;
use sender::Sender;
use tables::Tables;

/// How long requests under way may go on when the worker is asked to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Has the postmaster start the worker, and again a second after it ended. Called once, while the library is preloaded.
pub(crate) fn register() {
    BackgroundWorkerBuilder::new("pg_net")
        .set_type("pg_net")
        .set_library("pg_net")
        .set_function("pg_net_worker")
        .enable_spi_access()
        .set_restart_time(Some(Duration::from_secs(1)))
        .load();
}

/// The worker's process, from its start to its end.
#[pg_guard]
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn pg_net_worker(_argument: pg_sys::Datum) {
    cancel::install();
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    // SAFETY: set by Postgres when the process started.
    let pid = unsafe { pg_sys::MyProcPid };
    shared::get().my_slot().enter(pid, latch::my_place());
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::before_shmem_exit(Some(leave), pg_sys::Datum::from(pid)) };

    if start::connect() {
        Worker::new().run();
    }
    // Any other code than 0 has the postmaster start the worker again, unless the server is stopping.
    // SAFETY: ends the process by the way that runs the callbacks.
    unsafe { pg_sys::proc_exit(1) };
}

#[pg_guard]
unsafe extern "C-unwind" fn leave(_code: i32, pid: pg_sys::Datum) {
    shared::get().origins.free_all(server::my_database());
    shared::get().leave(pid.value() as i32);
    questions::rouse(server::my_database());
}

/// The policy that the settings describe. Says which of the files that they name cannot be used.
fn checked_policy() -> engine::Policy {
    let policy = settings::policy();
    for unusable in policy.unusable_files() {
        pgrx::warning!("pg_net: {unusable}; requests that need this file will fail");
    }
    policy
}

/// The connected worker.
struct Worker {
    tables: Tables,
    sender: Sender,
    claim: Claim,
    record: Record,
    expire: Expire,
    origins: Origins,
}

impl Worker {
    fn new() -> Self {
        shared::get().run(server::my_database());
        // The worker before may have ended between a commit and telling of it.
        waiters::tell_all(server::my_database());
        Self {
            tables: Tables::new(),
            sender: Sender::new(checked_policy()),
            claim: Claim::new(),
            record: Record::new(),
            expire: Expire::new(),
            origins: Origins::new(),
        }
    }

    /// Interrupts, configuration, work, wait: until somebody asks the worker to leave.
    fn run(mut self) {
        loop {
            pgrx::check_for_interrupts!();
            if BackgroundWorker::sighup_received() {
                self.reload();
            }
            if Self::must_leave() {
                break;
            }
            let now = Instant::now();
            let more_at_once = self.work(now);
            if more_at_once {
                report_statistics();
            } else {
                report_idle();
                self.sender.wait(self.next_deadline(now));
            }
        }
        self.stop();
    }

    fn reload(&mut self) {
        start::reload_configuration();
        let policy = checked_policy();
        self.claim.set_policy(&policy);
        self.sender.set_policy(policy);
        self.record.reload();
        self.expire.reload();
    }

    fn must_leave() -> bool {
        let shared = shared::get();
        BackgroundWorker::sigterm_received()
            || shared.my_slot().is_to_restart()
            || shared.closed.contains(server::my_database())
    }

    /// Does what there is to do. Whether there is more that needs no waiting for.
    fn work(&mut self, now: Instant) -> bool {
        if shared::get().my_slot().take_work() {
            self.claim.look();
        }
        self.sender.drain(&mut self.record);
        self.hear_of_origins();
        let recorded = self.record.work(now, &mut self.tables, &mut self.claim);
        if !self.sender.is_alive() {
            pgrx::warning!("pg_net: the engine has stopped; what it had in flight is sent again by a new one");
            self.sender.revive(settings::policy());
            self.record.inbox().extend(self.claim.abandon());
            self.origins.clear();
        }
        if recorded {
            self.expire.after_record(now);
        }
        self.claim.answer();
        let claimed = self.claim.work(now, recorded, &mut self.tables, &mut self.record, &self.sender);
        let expired = self.expire.work(now, &mut self.tables);
        recorded || claimed || expired
    }

    fn hear_of_origins(&mut self) {
        let news = self.sender.news();
        if !news.is_empty() {
            news.states.iter().for_each(|state| self.origins.show(state));
            self.claim.hear(news);
        }
    }

    fn next_deadline(&self, now: Instant) -> Option<Duration> {
        [self.record.deadline(), self.claim.deadline(now), self.expire.deadline()]
            .into_iter()
            .flatten()
            .min()
            .map(|deadline| deadline.saturating_duration_since(now))
    }

    /// Stops sending, records what still comes in within the grace, and leaves the rest in the queue.
    fn stop(self) {
        let Self { mut tables, sender, mut claim, mut record, .. } = self;
        sender.close();
        // A command that needs the database to itself waits for us: what is under way is sent again if there is a queue left.
        let grace = if shared::get().closed.contains(server::my_database()) { Duration::ZERO } else { GRACE };
        let end = Instant::now() + grace;
        loop {
            sender.drain(&mut record);
            record.work(Instant::now(), &mut tables, &mut claim);
            claim.answer();
            let left = end.saturating_duration_since(Instant::now());
            if sender.under_way() == 0 || left.is_zero() {
                break;
            }
            sender.wait(Some(left));
        }
        let open = sender.under_way() + record.pending();
        sender.stop();
        // What is sent at most once has left the queue: it ends here.
        let lost = claim.abandon();
        let (ended, queued) = (lost.len(), open.saturating_sub(lost.len()));
        record.inbox().extend(lost);
        while record.pending() > 0 && record.work(Instant::now(), &mut tables, &mut claim) {}
        if queued > 0 {
            pgrx::log!(
                "pg_net: the worker stops with {queued} requests under way; they stay queued and are sent again"
            );
        }
        if ended > 0 {
            pgrx::log!(
                "pg_net: the worker stops with {ended} requests that are sent at most once; they end as failures"
            );
        }
    }
}
