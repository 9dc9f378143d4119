//! The launcher: starts workers for databases that wait for one.
//!
//! It serves no database and is connected to none, so that it is in no command's way and shows in no list of sessions. What it needs
//! of the catalogs a [`visitor`] reads, and leaves in shared memory. A database that waits stands there until its worker is started,
//! so that nothing is forgotten where a process ends. Where there is no room, the workers are told to make some: databases take
//! turns.
//!
//! The worker of `pg_net.database_name` is started by the postmaster, so that no other process can take its place. Where it cannot
//! connect at once, it waits at the door until the launcher lets it in.

use std::time::Instant;

use pg_net_core::backoff::{Backoff, Obstacle};
use pgrx::bgworkers::{BackgroundWorker, SignalWakeFlags};
use pgrx::{pg_guard, pg_sys};

use crate::pg::process::bgworker::{self, builder};
use crate::pg::process::dynamic::Process;
use crate::pg::process::revival::{RESTART, Revival};
use crate::pg::process::wait_event::WaitEvent;
use crate::pg::process::{latch, server, wait};
use crate::pg::types::clock;
use crate::shmem::{self, Bound, Crowd, HOME_DATABASE, LaunchRequest, Reason, Shared, Ticket, Verdict};
use crate::{settings, worker};

mod visitor;
mod visits;

use visits::Visits;

/// Has the postmaster start the launcher when the server takes writes, and again a second after it ended. Called once, while
/// the library is preloaded.
pub(crate) fn register() {
    builder("pg_net launcher", "pg_net_launcher").set_restart_time(Some(RESTART)).load();
}

/// The launcher's process, from its start to its end.
#[pg_guard]
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn pg_net_launcher(_argument: pg_sys::Datum) {
    bgworker::hear_of_processes();
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP | SignalWakeFlags::SIGTERM);
    // What SIGHUP said before that was not heard: the settings are still those of the moment when the process was forked.
    bgworker::read_configuration();
    shmem::get().enter_launcher(server::my_pid(), latch::my_place());
    bgworker::at_exit(leave);
    settings::unknown::warn_of_missed_reload();
    let mut launcher = Launcher::new();
    while !BackgroundWorker::sigterm_received() {
        pgrx::check_for_interrupts!();
        if BackgroundWorker::sighup_received() {
            launcher.reload();
        }
        launcher.work(Instant::now());
        let left = launcher.deadline().map(|deadline| deadline.saturating_duration_since(Instant::now()));
        wait::wait_for_latch(WaitEvent::Launcher, left);
    }
    // Any other code than 0 has the postmaster start it again, unless the server is stopping.
    bgworker::end(1);
}

fn leave(pid: i32) {
    shmem::get().leave_launcher(pid);
}

struct Launcher {
    shared: &'static Shared,
    /// Processes that were asked for and have not come yet.
    started: Vec<(Ticket, Process)>,
    visits: Visits,
    /// Sees to it that the worker comes back that the postmaster starts.
    revival: Revival,
    /// Whose turn was last.
    last: Option<LaunchRequest>,
    /// Until the next attempt where the server had no room for a process: no one tells when it has again.
    retry: Backoff,
    /// When the next entry of the wake schedule is due.
    due: Option<Instant>,
}

/// What became of a database that waits for a worker.
enum Start {
    /// A worker is there or under way.
    Served,
    /// It goes on waiting for something other than room.
    Held,
    /// A visitor is to look first.
    Unseen,
    NoRoom(Bound),
}

impl Launcher {
    fn new() -> Self {
        Self {
            shared: shmem::get(),
            started: Vec::new(),
            visits: Visits::new(),
            revival: Revival::default(),
            last: None,
            retry: Backoff::default(),
            due: None,
        }
    }

    fn reload(&mut self) {
        bgworker::read_configuration();
        settings::unknown::warn_at_reload();
        let launcher = &self.shared.launcher;
        launcher.clear_news_of_role();
        if launcher.take_read_only() {
            launcher.visit_all();
        }
    }

    fn deadline(&self) -> Option<Instant> {
        let next = [self.due, self.retry.deadline(), self.visits.deadline(), self.revival.deadline()];
        next.into_iter().flatten().min()
    }

    /// Starts workers for databases that wait for one, as far as there is room.
    fn work(&mut self, now: Instant) {
        self.revival.watch(now, !self.shared.home_slot().has_process());
        self.reap();
        self.visits.reap(now);
        self.look_for_the_end_of_a_pause();
        for database in self.shared.wake_schedule.due(clock::now()).filter(|&database| database != HOME_DATABASE) {
            self.shared.note_launch_request(database.into(), Reason::Visit);
        }
        let bound = self.start_all(now);
        self.shared.set_crowded(match bound {
            None => Crowd::None,
            Some(Bound::Workers) if self.shared.others() == 0 => Crowd::All,
            Some(_) => Crowd::Others,
        });
        self.due = self.shared.wake_schedule.next().map(|at| now + clock::between(clock::now(), at));
    }

    /// Has databases visited in which requests may have waited for the end of a pause.
    fn look_for_the_end_of_a_pause(&self) {
        let launcher = &self.shared.launcher;
        if settings::paused() {
            launcher.note_pause();
        } else if launcher.take_pause() {
            launcher.visit_all();
        }
    }

    /// Notices the processes that have come, and those that never will.
    fn reap(&mut self) {
        let shared = self.shared;
        self.started.retain(|(ticket, process)| {
            if !shared.is_pending(*ticket) {
                return false;
            }
            let is_lost = process.has_ended();
            if is_lost && let Some(database) = shared.revoke(*ticket) {
                shared.wake_schedule.fail(database, clock::now());
            }
            !is_lost
        });
    }

    /// What there is no room for, if databases are left that wait for room.
    fn start_all(&mut self, now: Instant) -> Option<Bound> {
        let requests = &self.shared.launch_requests;
        self.visits.forget_old(now, requests);
        let mut is_unseen = self.shared.launcher.visit_from().is_some() && requests.has_room();
        let mut has_work = false;
        let mut bound = None;
        let waiting: Vec<LaunchRequest> = requests.after(self.last).collect();
        for waiting in waiting {
            let is_work = waiting.reason == Reason::Work;
            match self.start(waiting) {
                Start::Served => self.last = Some(waiting),
                Start::Held => {}
                Start::Unseen => {
                    is_unseen = true;
                    has_work |= is_work;
                }
                Start::NoRoom(found) => {
                    has_work |= is_work;
                    if is_work {
                        self.tell(found);
                    }
                    bound = Some(found);
                    break;
                }
            }
        }
        if !self.visits.start(now, is_unseen) {
            // It cannot be told what is in the way.
            self.shared.release_home();
            if has_work {
                self.tell(Bound::Processes);
            }
            bound = Some(Bound::Processes);
        }
        match bound {
            // A call in between is no reason to wait longer.
            Some(Bound::Processes) if !self.retry.is_over(now) => {}
            Some(Bound::Processes) if has_work => self.retry.fail(now, Obstacle::InTheWay),
            Some(Bound::Processes) => self.retry.fail(now, Obstacle::Failure),
            Some(Bound::Workers) | None => self.retry.succeed(),
        }
        bound
    }

    fn start(&mut self, waiting: LaunchRequest) -> Start {
        if waiting.is_home() {
            return self.let_home_in(waiting);
        }
        let (shared, database) = (self.shared, pg_sys::Oid::from(waiting.database));
        if shared.serving(database).is_some() {
            shared.launch_requests.remove(waiting);
            return Start::Served;
        }
        if !shared.home.is_database_known() {
            return Start::Unseen;
        }
        if database == shared.home.database() && !shared.home_slot().is_running() {
            // It is that worker's, which reads the whole queue when it comes.
            if shared.home.is_waiting() {
                shared.launch_requests.remove(waiting);
                shared.hurry_home();
            }
            return Start::Held;
        }
        if self.is_held(database, waiting.database) {
            return Start::Held;
        }
        if shared.taken() >= settings::max_workers() {
            return Start::NoRoom(Bound::Workers);
        }
        match waiting.verdict {
            Verdict::Unknown => Start::Unseen,
            Verdict::Clear => self.start_worker(waiting),
            Verdict::Refused => self.refuse(waiting),
            Verdict::Gone => {
                shared.launch_requests.remove(waiting);
                Start::Held
            }
        }
    }

    /// Whether no worker is to come to a database now, whose failures are counted under this name.
    fn is_held(&self, database: pg_sys::Oid, counted: u32) -> bool {
        self.shared.blocked.contains(database) || self.shared.wake_schedule.is_paused(counted, clock::now())
    }

    /// A visitor found that no worker can connect: another one looks after a pause.
    fn refuse(&self, waiting: LaunchRequest) -> Start {
        if self.shared.wake_schedule.fail(waiting.database, clock::now()) {
            self.shared.launch_requests.judge(waiting, Verdict::Unknown);
        }
        Start::Held
    }

    fn start_worker(&mut self, waiting: LaunchRequest) -> Start {
        let (shared, database) = (self.shared, pg_sys::Oid::from(waiting.database));
        // The visitor may have the one place that there is.
        if self.visits.are_under_way() {
            return Start::Held;
        }
        let Some(ticket) = shared.assign(database, shared.launcher.role(), waiting.reason) else {
            return Start::NoRoom(Bound::Workers);
        };
        shared.launch_requests.remove(waiting);
        let Some(process) = Process::start(worker::builder_on_demand(ticket)) else {
            shared.revoke(ticket);
            shared.note_launch_request(database, waiting.reason);
            return Start::NoRoom(Bound::Processes);
        };
        shared.wake_schedule.start(database);
        self.started.push((ticket, process));
        Start::Served
    }

    /// Lets the worker of `pg_net.database_name` in, which waits, if nothing is in its way.
    fn let_home_in(&self, waiting: LaunchRequest) -> Start {
        let (shared, home) = (self.shared, &self.shared.home);
        if !home.is_waiting() {
            shared.launch_requests.remove(waiting);
            return Start::Held;
        }
        match waiting.verdict {
            _ if self.is_held(home.database(), HOME_DATABASE) => Start::Held,
            Verdict::Unknown => Start::Unseen,
            Verdict::Refused | Verdict::Gone => {
                home.hold();
                self.refuse(waiting)
            }
            Verdict::Clear if shared.others() >= settings::max_workers() => Start::NoRoom(Bound::Workers),
            Verdict::Clear => {
                shared.let_home_in(waiting);
                Start::Served
            }
        }
    }

    fn tell(&self, bound: Bound) {
        let (value, what, how) = match bound {
            Bound::Workers => (settings::max_workers() as i32, "pg_net.max_workers", "take turns"),
            Bound::Processes => (server::max_worker_processes(), "max_worker_processes", "wait for a worker"),
        };
        if self.shared.launcher.is_news(bound, value) {
            pgrx::log!(
                "pg_net: databases with requests {how}, since {what} is {value}; raise it to have each served at once"
            );
        }
    }
}
