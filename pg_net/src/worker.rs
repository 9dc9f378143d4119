//! The background worker: claims waiting requests, hands them to the engine, records the outcomes.
//!
//! Only this process' main thread touches Postgres. The engine has a thread of its own, and the two meet at a queue each way
//! and an eventfd, which the main thread waits on together with its latch.

use std::time::{Duration, Instant};

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::{pg_guard, pg_sys};

use crate::pg::catalog::role;
use crate::pg::process::bgworker::{self, end};
use crate::pg::process::revival::{RESTART, Revival};
use crate::pg::process::{allocator, cancel, latch, server};
use crate::pg::spi::transaction::{report_idle, report_statistics, take_ran};
use crate::settings;
use crate::shmem::{self, Ending, Shared, Ticket, waiters};

mod claim;
mod commit_coalescer;
mod engine_host;
mod expire;
mod held;
mod idle_policy;
mod known_tables;
mod leave_queue;
mod record;
mod response_row;
mod session;

use claim::Claim;
use claim::removed::Removed;
use commit_coalescer::Commits;
use engine_host::Sender;
use engine_host::origins::Origins;
use expire::Expire;
use held::lanes::Lanes;
use idle_policy::{Outlook, Tenure};
use known_tables::Tables;
use record::Record;
use session::read_only::{self, ReadOnly};

/// How long requests under way may go on when the worker is asked to stop.
const GRACE: Duration = Duration::from_secs(1);

/// Has the postmaster start the worker of `pg_net.database_name` when the server takes writes, and again a second after it
/// ended. Called once, while the library is preloaded.
pub(crate) fn register() {
    builder("pg_net", "pg_net_worker").set_restart_time(Some(RESTART)).load();
}

/// How to start a worker for the slot that a ticket names.
pub(crate) fn builder_on_demand(ticket: Ticket) -> BackgroundWorkerBuilder {
    builder("pg_net worker", "pg_net_worker").set_argument(Some(ticket.argument().into()))
}

/// What all processes that serve a database have in common.
fn builder(name: &str, function: &str) -> BackgroundWorkerBuilder {
    bgworker::builder(name, function).set_type("pg_net").enable_spi_access()
}

/// A worker's process, from its start to its end.
#[pg_guard]
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn pg_net_worker(argument: pg_sys::Datum) {
    cancel::install();
    role::set_worker();
    allocator::bound();
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    // What SIGHUP said before that was not heard: the settings are still those of the moment when the process was forked.
    session::reload_configuration();
    let ticket = Ticket::from_argument(argument.value() as u32);
    if !shmem::get().enter(ticket, server::my_pid(), latch::my_place()) {
        end(0);
    }
    bgworker::at_exit(leave);

    let is_home = ticket.is_home();
    let is_connected = if is_home { session::connect_home() } else { session::connect_started() };
    if is_connected {
        Worker::new(is_home).run();
    }
    // Any other code than 0 has the postmaster start the worker of `pg_net.database_name` again, unless the server is stopping.
    end(i32::from(is_home));
}

#[pg_guard]
unsafe extern "C-unwind" fn leave(_code: i32, pid: pg_sys::Datum) {
    shmem::get().origins.free_all(server::my_database());
    if read_only::is_on() {
        shmem::get().launcher.note_read_only();
    }
    shmem::get().leave(pid.value() as i32, settings::paused());
    // Where the process ends by a FATAL error, the engine still runs.
    engine::before_exit();
}

/// The policy that the settings describe. Says which of the files that they name cannot be used.
fn checked_policy() -> engine::Policy {
    let policy = settings::policy();
    for unusable in policy.unusable_files() {
        pgrx::warning!("pg_net: {unusable}; requests that need this file will fail");
    }
    for broken in policy.broken_authorities() {
        pgrx::warning!("pg_net: {broken}; it is passed by, the others in the file are used");
    }
    policy
}

/// The connected worker.
struct Worker {
    tables: Tables,
    sender: Sender,
    commits: Commits,
    claim: Claim,
    record: Record,
    removed: Removed,
    lanes: Lanes,
    expire: Expire,
    read_only: ReadOnly,
    origins: Origins,
    tenure: Tenure,
    /// Sees to it that the launcher comes back.
    revival: Revival,
    /// Whom it serves as whom, as the settings had it.
    served: session::Served,
}

impl Worker {
    fn new(is_home: bool) -> Self {
        session::take_over(server::my_database());
        shmem::get().run(server::my_database());
        // The worker before may have ended between a commit and telling of it.
        waiters::tell_all(server::my_database());
        let now = Instant::now();
        let sender = Sender::new(checked_policy(), settings::paused());
        Self {
            tenure: Tenure::new(now, is_home),
            revival: Revival::default(),
            served: session::Served::by_settings(),
            tables: Tables::new(),
            removed: Removed::new(&sender),
            sender,
            commits: Commits::new(),
            claim: Claim::new(),
            record: Record::new(),
            lanes: Lanes::new(),
            expire: Expire::new(),
            read_only: ReadOnly::new(),
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
            if self.must_leave() {
                Shared::set_ending(Ending::Again);
                break;
            }
            let now = Instant::now();
            if self.work(now) {
                self.tenure.busy();
                report_statistics();
            } else if take_ran() {
                // It may have waited, and taken a wake-up for its own: once more, before there is another wait.
            } else if let Some(ending) = self.ending(now) {
                Shared::set_ending(ending);
                break;
            } else {
                if self.claim.claimed() == 0 {
                    self.record.rest();
                }
                report_idle();
                self.sender.wait(self.next_deadline(now));
            }
        }
        self.stop();
    }

    fn reload(&mut self) {
        session::reload_configuration();
        let policy = checked_policy();
        self.claim.set_policy(&policy);
        self.sender.set_policy(policy);
        let paused = settings::paused();
        self.sender.set_paused(paused);
        if paused {
            self.claim.let_go(&self.sender, &mut self.origins);
        }
        self.record.reload();
        self.expire.reload();
        self.read_only.reload();
    }

    fn must_leave(&mut self) -> bool {
        let shared = shmem::get();
        BackgroundWorker::sigterm_received()
            || shared.my_slot().is_to_leave()
            || shared.closed.contains(server::my_database())
            || self.is_elsewhere()
    }

    /// Whether the settings have the worker of `pg_net.database_name` serve another database, or as another role, and it is to follow them.
    fn is_elsewhere(&mut self) -> bool {
        if !self.tenure.is_home() || !shmem::get().home.take_settings() {
            return false;
        }
        self.reload();
        self.served != session::Served::by_settings()
    }

    /// How the worker is to go, if it is: nothing is under way, and nothing to be done at the moment.
    fn ending(&mut self, now: Instant) -> Option<Ending> {
        let pending = self.record.pending();
        if self.claim.claimed() > pending || self.commits.until(now).is_some() || self.lanes.is_busy() {
            self.tenure.busy();
            return None;
        }
        let outlook = Outlook {
            has_more: self.claim.has_work() && !self.is_halted(),
            is_troubled: pending > 0 || self.claim.is_hindered(),
            next: self.next_task(now),
        };
        self.tenure.idle(now, &outlook)
    }

    /// Does what there is to do. Whether there is more that needs no waiting for.
    fn work(&mut self, now: Instant) -> bool {
        if self.commits.have_come(now, shmem::get().my_slot()) {
            self.claim.look();
        }
        let gathers = self.sender.gathers(now);
        if !gathers {
            self.sender.drain(now, &mut self.record);
            self.hear_of_origins();
        }
        let recorded = self.record.work(now, &mut self.tables, &mut self.claim);
        self.claim.drop_orphans(&self.sender);
        if !self.sender.is_alive() {
            pgrx::warning!("pg_net: the engine has stopped; what it had in flight is sent again by a new one");
            self.sender.revive(settings::policy());
            self.record.give_up(self.claim.abandon());
            self.origins.clear();
        }
        if recorded {
            self.sender.note_recorded();
            self.expire.after_record(now);
        }
        self.removed.work(now, &mut self.tables, &mut self.claim, &self.sender, &mut self.origins);
        if self.record.take_held() | self.claim.take_is_new() | shmem::get().my_slot().take_held() {
            self.lanes.look();
        }
        self.lanes.work(now);
        self.claim.answer(&self.sender, &mut self.origins);
        let is_read_only = self.read_only.look();
        let claimed = self.may_claim(now)
            && self.claim.work(now, recorded || gathers, &mut self.tables, &mut self.record, &self.sender);
        let expired = !is_read_only && self.expire.work(now, &mut self.tables);
        self.revival.watch(now, shmem::get().launcher.is_missing());
        recorded || claimed || expired
    }

    fn hear_of_origins(&mut self) {
        let news = self.sender.news();
        if !news.is_empty() {
            news.states.iter().for_each(|state| self.origins.show(state));
            self.claim.hear(news);
        }
    }

    /// When to look at what a commit brought, if one brought something that was not looked at yet.
    fn call(&self, now: Instant) -> Option<Instant> {
        let slot = shmem::get().my_slot();
        slot.has_work().then(|| self.commits.until(now).unwrap_or(now))
    }

    /// Whether requests wait, whatever there is to send.
    fn is_halted(&self) -> bool {
        settings::paused() || read_only::is_on()
    }

    fn may_claim(&self, now: Instant) -> bool {
        !self.is_halted() && !self.tenure.is_ending(now) && self.removed.deadline(now).is_none()
    }

    /// When there will be something to do.
    fn next_task(&self, now: Instant) -> Option<Instant> {
        let removed = self.removed.deadline(now);
        // What waits while requests are halted comes with what ends that: a reload, or a command that wakes the worker.
        let claim = self.claim.deadline(now).filter(|_| !self.is_halted() && removed.is_none());
        let expire = self.expire.deadline().filter(|_| !read_only::is_on());
        [self.record.deadline(), removed, claim, self.lanes.deadline(), expire].into_iter().flatten().min()
    }

    fn next_deadline(&self, now: Instant) -> Option<Duration> {
        // A wait for a lock may have swallowed the latch.
        let call = self.call(now);
        // One that makes room claims nothing more, however long the rest takes.
        let task = if self.tenure.is_ending(now) {
            self.record.deadline().into_iter().chain(self.removed.deadline(now)).min()
        } else {
            self.next_task(now)
        };
        let gathered = self.sender.deadline(now);
        [call, task, gathered, self.tenure.deadline(now), self.revival.deadline()]
            .into_iter()
            .flatten()
            .min()
            .map(|deadline| deadline.saturating_duration_since(now))
    }

    /// Stops sending, records what still comes in within the grace, and leaves the rest in the queue.
    fn stop(self) {
        let Self { mut tables, sender, mut claim, mut record, mut origins, mut lanes, .. } = self;
        lanes.end();
        // Whoever asks meanwhile may have what is not under way.
        claim.let_go(&sender, &mut origins);
        sender.close();
        // A command that needs the database to itself waits for us: what is under way is sent again if there is a queue left.
        let grace = if shmem::get().closed.contains(server::my_database()) { Duration::ZERO } else { GRACE };
        let end = Instant::now() + grace;
        // What could not be stored has no later moment.
        record.hurry();
        loop {
            // Before the outcomes are taken: one that came in between would be left behind.
            let under_way = sender.under_way();
            sender.drain_and_wait_for_more(&mut record);
            while record.work(Instant::now(), &mut tables, &mut claim) {}
            claim.answer(&sender, &mut origins);
            let left = end.saturating_duration_since(Instant::now());
            if under_way == 0 || left.is_zero() {
                break;
            }
            // The last may have ended just now: then nobody would tell.
            if sender.under_way() > 0 {
                sender.wait(Some(left));
            }
        }
        let open = sender.under_way() + record.pending();
        sender.stop();
        // What is sent at most once has left the queue: it ends here.
        let ended = record.give_up(claim.abandon());
        while record.work(Instant::now(), &mut tables, &mut claim) {}
        let queued = open.saturating_sub(ended);
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
