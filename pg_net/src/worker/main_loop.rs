//! The worker's loop: what claiming and recording give is handed on here, and nowhere else.

use std::time::{Duration, Instant};

use pg_net_core::coalesce::CommitCoalescer;
use pg_net_core::idle_policy::{Exit, IdlePolicy, Surroundings, Workload};
use pgrx::bgworkers::BackgroundWorker;

use super::claim::removed::Removed;
use super::claim::{Batch, Claim};
use super::engine_host::EngineHost;
use super::expire::Expire;
use super::held::lanes::Lanes;
use super::known_tables::KnownTables;
use super::memory_trim::MemoryTrim;
use super::record::{Record, Report};
use super::session;
use super::session::read_only::{self, ReadOnly};
use crate::pg::process::revival::Revival;
use crate::pg::process::server;
use crate::pg::spi::transaction::{report_idle, report_statistics, take_ran};
use crate::pg::types::clock;
use crate::settings;
use crate::shmem::{self, ExitReason, Shared, waiters};

/// How long requests under way may go on when the worker is asked to stop.
const GRACE: Duration = Duration::from_secs(1);

/// The policy that the settings describe. Says which of the files that they name cannot be used.
fn checked_policy() -> engine::Policy {
    let policy = settings::policy();
    for unusable in policy.unusable_files() {
        pgrx::warning!("pg_net: {unusable}; requests that need this file will fail");
    }
    for broken in policy.broken_authorities() {
        pgrx::warning!("pg_net: {broken}; it is skipped, and the others in the file are used");
    }
    policy
}

/// The connected worker.
pub(super) struct Worker {
    tables: KnownTables,
    host: EngineHost,
    commits: CommitCoalescer,
    claim: Claim,
    record: Record,
    removed: Removed,
    lanes: Lanes,
    expire: Expire,
    read_only: ReadOnly,
    idle_policy: IdlePolicy,
    memory: MemoryTrim,
    /// Sees to it that the launcher comes back.
    revival: Revival,
    /// Whom it serves as whom, as the settings had it.
    served: session::Served,
}

impl Worker {
    pub(super) fn new(is_home: bool) -> Self {
        session::take_over(server::my_database());
        shmem::get().run(server::my_database());
        // The worker before may have ended between a commit and telling of it.
        waiters::tell_all(server::my_database());
        let now = Instant::now();
        let host = EngineHost::new(checked_policy(), settings::paused());
        Self {
            idle_policy: IdlePolicy::new(now, is_home),
            revival: Revival::default(),
            served: session::Served::by_settings(),
            tables: KnownTables::new(),
            removed: Removed::new(&host),
            host,
            commits: CommitCoalescer::new(now),
            claim: Claim::new(),
            record: Record::new(),
            lanes: Lanes::new(),
            expire: Expire::new(),
            read_only: ReadOnly::new(),
            memory: MemoryTrim::default(),
        }
    }

    /// Interrupts, configuration, work, wait: until the worker is asked to leave.
    pub(super) fn run(mut self) {
        loop {
            pgrx::check_for_interrupts!();
            if BackgroundWorker::sighup_received() {
                self.reload();
            }
            if self.must_leave() {
                Shared::set_exit_reason(ExitReason::Again);
                break;
            }
            let now = Instant::now();
            if self.work(now) {
                self.busy();
                report_statistics();
            } else if take_ran() {
                // It may have waited, and taken a wake-up for its own: once more, before there is another wait.
            } else if let Some(reason) = self.exit(now) {
                Shared::set_exit_reason(reason);
                break;
            } else {
                if self.claim.rows().claimed() == 0 {
                    self.memory.idle();
                }
                report_idle();
                self.host.wait(self.next_deadline(now));
            }
        }
        self.stop();
    }

    fn reload(&mut self) {
        session::reload_configuration();
        let policy = checked_policy();
        self.claim.set_policy(&policy);
        self.host.set_policy(policy);
        let paused = settings::paused();
        self.host.set_paused(paused);
        if paused {
            self.claim.let_go(&mut self.host);
        }
        self.record.reload();
        self.expire.reload();
        self.read_only.reload();
    }

    fn must_leave(&mut self) -> bool {
        let shared = shmem::get();
        BackgroundWorker::sigterm_received()
            || shared.my_slot().is_to_leave()
            || shared.blocked.contains(server::my_database())
            || self.is_elsewhere()
    }

    /// Whether the settings have the worker of `pg_net.database_name` serve another database, or as another role, and it is to follow them.
    fn is_elsewhere(&mut self) -> bool {
        if !self.idle_policy.is_home() || !shmem::get().home.take_settings() {
            return false;
        }
        self.reload();
        self.served != session::Served::by_settings()
    }

    /// There is, or was, something to do.
    fn busy(&mut self) {
        self.idle_policy.busy();
        shmem::get().my_slot().keep();
    }

    /// How the worker is to go, if it is: nothing is under way, and nothing to be done at the moment.
    fn exit(&mut self, now: Instant) -> Option<ExitReason> {
        let pending = self.record.pending();
        if self.claim.rows().claimed() > pending || self.commits.until(now).is_some() || self.lanes.is_busy() {
            self.busy();
            return None;
        }
        let workload = Workload {
            has_more: self.claim.has_work() && !self.is_halted(),
            is_troubled: pending > 0 || self.claim.is_hindered(),
            next: self.next_task(now),
        };
        let shared = shmem::get();
        let surroundings =
            Surroundings { is_room_wanted: shared.is_room_wanted(), idle_timeout: settings::worker_idle_timeout() };
        let exit = self.idle_policy.idle(now, &workload, surroundings, || shared.my_slot().end_visit())?;
        if self.idle_policy.is_home() {
            shared.home.make_room();
        }
        let at = |next: Instant| clock::after(clock::now(), next.saturating_duration_since(now));
        Some(match exit {
            Exit::Again => ExitReason::Again,
            Exit::Troubled => ExitReason::Broken,
            Exit::Done(next) => ExitReason::Done(next.map(at)),
        })
    }

    /// Does what there is to do. Whether there is more that needs no waiting for.
    fn work(&mut self, now: Instant) -> bool {
        if self.have_commits_come(now) {
            self.claim.look();
        }
        let gathers = self.host.gathers(now);
        if !gathers {
            self.host.drain(now, self.record.inbox());
            self.hear_of_origins();
        }
        let recorded = self.record(now);
        if !self.host.is_alive() {
            pgrx::warning!("pg_net: the engine has stopped; what it had in flight is sent again by a new one");
            self.host.revive(settings::policy());
            self.record.give_up(self.claim.abandon());
        }
        if recorded {
            self.host.note_recorded();
            self.expire.after_record(now);
        }
        self.removed.work(now, &mut self.tables, &mut self.claim, &mut self.host);
        if self.claim.take_is_new() | shmem::get().my_slot().take_held() {
            self.lanes.look();
        }
        self.lanes.work(now);
        self.claim.answer(&mut self.host);
        let is_read_only = self.read_only.look();
        let claimed = self.may_claim(now) && self.claim(now, recorded || gathers);
        let expired = !is_read_only && self.expire.work(now, &mut self.tables);
        self.revival.watch(now, shmem::get().launcher.is_missing());
        recorded || claimed || expired
    }

    /// Whether commits have asked for the queue to be read, and it is to be read now.
    fn have_commits_come(&mut self, now: Instant) -> bool {
        if self.commits.until(now).is_some() {
            return false;
        }
        let slot = shmem::get().my_slot();
        let have_come = self.commits.take(now, slot.take_work());
        if self.commits.gathers() {
            slot.come_again();
        }
        have_come
    }

    fn hear_of_origins(&mut self) {
        let news = self.host.news();
        if !news.is_empty() {
            self.claim.hear(news);
        }
    }

    /// Records one batch. Whether there may be more to record at once.
    fn record(&mut self, now: Instant) -> bool {
        let report = record_batch(now, &mut self.tables, &mut self.claim, &mut self.record);
        self.claim.drop_orphans(&self.host);
        if report.has_held {
            self.lanes.look();
        }
        let (count, bytes) = report.passed;
        self.memory.pass(count, bytes);
        report.more
    }

    /// Claims one batch and hands it to the engine. Whether there is more to do at once.
    fn claim(&mut self, now: Instant, busy: bool) -> bool {
        let Batch { requests, mut failures, bytes, more, .. } = self.claim.work(now, busy, &mut self.tables);
        self.claim.drop_orphans(&self.host);
        self.record.inbox().append(&mut failures);
        self.memory.pass(0, bytes);
        // That the engine has ended is dealt with in the next round, as is the recording of what cannot be sent.
        let is_refused = !requests.is_empty() && !self.host.submit(requests);
        is_refused || more
    }

    /// When to look at what a commit brought, if one brought something that was not looked at yet.
    fn wake_up(&self, now: Instant) -> Option<Instant> {
        let slot = shmem::get().my_slot();
        slot.has_work().then(|| self.commits.until(now).unwrap_or(now))
    }

    /// Whether requests wait, whatever there is to send.
    fn is_halted(&self) -> bool {
        settings::paused() || read_only::is_on()
    }

    fn is_ending(&self, now: Instant) -> bool {
        self.idle_policy.is_ending(now, shmem::get().is_room_wanted())
    }

    fn may_claim(&self, now: Instant) -> bool {
        !self.is_halted() && !self.is_ending(now) && self.removed.deadline(now).is_none()
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
        let wake_up = self.wake_up(now);
        // One that makes room claims nothing more, however long the rest takes.
        let task = if self.is_ending(now) {
            self.record.deadline().into_iter().chain(self.removed.deadline(now)).min()
        } else {
            self.next_task(now)
        };
        let gathered = self.host.deadline(now);
        let turn = self.idle_policy.deadline(now, shmem::get().is_room_wanted());
        [wake_up, task, gathered, turn, self.revival.deadline()]
            .into_iter()
            .flatten()
            .min()
            .map(|deadline| deadline.saturating_duration_since(now))
    }

    /// Stops sending, records what still comes in within the grace, and leaves the rest in the queue.
    fn stop(mut self) {
        self.lanes.end();
        // A session that asks meanwhile may have what is not under way.
        self.claim.let_go(&mut self.host);
        self.host.close();
        // A command that needs the database to itself waits for us: what is under way is sent again if there is a queue left.
        let is_blocked = shmem::get().blocked.contains(server::my_database());
        let end = Instant::now() + if is_blocked { Duration::ZERO } else { GRACE };
        // What could not be stored has no later moment.
        self.record.retry_now();
        loop {
            // Before the outcomes are taken: one that came in between would be left behind.
            let under_way = self.host.under_way();
            self.host.drain_and_wait_for_more(self.record.inbox());
            while self.record(Instant::now()) {}
            self.claim.answer(&mut self.host);
            let left = end.saturating_duration_since(Instant::now());
            if under_way == 0 || left.is_zero() {
                break;
            }
            // The last may have ended just now, and the engine would tell of no more.
            if self.host.under_way() > 0 {
                self.host.wait(Some(left));
            }
        }
        self.end();
    }

    /// Ends what is still under way.
    fn end(self) {
        let Self { mut tables, host, mut claim, mut record, .. } = self;
        let open = host.under_way() + record.pending();
        host.stop();
        // What is sent at most once has left the queue: it ends here.
        let ended = record.give_up(claim.abandon());
        while record_batch(Instant::now(), &mut tables, &mut claim, &mut record).more {}
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

/// Records one batch, and has the claim know what became of its rows.
fn record_batch(now: Instant, tables: &mut KnownTables, claim: &mut Claim, record: &mut Record) -> Report {
    let mut report = record.work(now, tables, claim.rows());
    for key in report.ended.drain(..) {
        claim.finish(key);
    }
    for (key, due) in report.put_off.drain(..) {
        claim.put_off(key, due);
    }
    if report.are_tables_new {
        claim.start_over();
    }
    report
}
