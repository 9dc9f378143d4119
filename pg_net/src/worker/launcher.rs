//! Starting workers for other databases: the first worker's second duty.
//!
//! Whoever waits stands in shared memory until its worker is started, so that nothing is forgotten where this process ends.
//! Where there is no room, the others are told to make some: databases take turns.

use std::collections::HashSet;
use std::time::Instant;

use pgrx::pg_sys;

use super::backoff::Backoff;
use crate::pg::database::{self, Database, Look};
use crate::pg::dynamic::Process;
use crate::pg::transaction::transaction;
use crate::pg::{clock, dynamic, server};
use crate::settings;
use crate::shared::{self, Bound, Reason, Shared, Ticket, Waiting};

pub(super) struct Launcher {
    shared: &'static Shared,
    /// Whether this process waits outside for its next start to succeed, to which the database of the settings is left.
    is_outside: bool,
    /// Whether somebody waits for that one.
    home_is_asked: bool,
    /// Processes that were asked for and have not come yet.
    started: Vec<(Ticket, Process)>,
    /// Whose turn was last.
    last: Option<Waiting>,
    /// Until the next attempt where the server had no room for a process: nobody says when it has again.
    retry: Backoff,
    /// When something on the agenda is due.
    due: Option<Instant>,
    /// What kept workers from starting, and stands in the log.
    told: HashSet<String>,
}

/// What became of a database that waits for a worker.
enum Start {
    /// A worker is there or under way.
    Served,
    /// It goes on waiting for something other than room.
    Held,
    NoRoom(Bound),
}

impl Launcher {
    pub(super) fn new(is_outside: bool) -> Self {
        let shared = shared::get();
        shared.revoke_all();
        shared.first.set_launch();
        Self {
            shared,
            is_outside,
            home_is_asked: false,
            started: Vec::new(),
            last: None,
            retry: Backoff::default(),
            due: None,
            told: HashSet::new(),
        }
    }

    /// Whether somebody has asked for the database that is left to the next start.
    pub(super) fn is_home_asked(&mut self) -> bool {
        std::mem::take(&mut self.home_is_asked)
    }

    /// The configuration was read anew.
    pub(super) fn reload(&mut self) {
        self.told.clear();
        if self.shared.first.take_read_only() {
            self.shared.first.visit_all();
        }
        self.shared.first.set_launch();
    }

    pub(super) fn deadline(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.retry.deadline()).min()
    }

    /// Starts workers for databases that wait for one, as far as there is room.
    pub(super) fn work(&mut self, now: Instant) {
        self.reap();
        let asked = self.shared.first.take_launch();
        if !asked && self.deadline().is_none_or(|deadline| deadline > now) {
            return;
        }
        self.look_for_the_end_of_a_pause();
        for database in self.shared.agenda.due(clock::now()) {
            self.shared.ask(database, Reason::Visit);
        }
        self.visit();
        let crowded = self.start_all(now);
        self.shared.set_crowded(crowded);
        self.due = self.shared.agenda.next().map(|at| now + clock::between(clock::now(), at));
    }

    /// Has databases visited in which requests may have waited for the end of a pause.
    fn look_for_the_end_of_a_pause(&self) {
        let first = &self.shared.first;
        if settings::paused() {
            first.note_pause();
        } else if first.take_pause() {
            first.visit_all();
        }
    }

    /// Notices the processes that have come, and those that never will.
    fn reap(&mut self) {
        let shared = self.shared;
        self.started.retain(|(ticket, process)| {
            if !shared.is_pending(*ticket) {
                return false;
            }
            let lost = process.has_ended();
            if lost && let Some(database) = shared.revoke(*ticket) {
                shared.agenda.fail(database, clock::now());
                shared.first.set_launch();
            }
            !lost
        });
    }

    /// Asks for the databases that are to be visited, as far as they can be noted.
    fn visit(&self) {
        let first = &self.shared.first;
        let Some(from) = first.visit_from() else { return };
        if !self.shared.asked.has_room() {
            return;
        }
        let Ok(mut databases) = transaction(c"looking for databases", |_| Database::all()) else { return };
        databases.retain(|database| database.oid.to_u32() >= from && !self.shared.is_served(database.oid));
        databases.sort_unstable_by_key(|database| database.oid.to_u32());
        let rest = databases.iter().find(|database| !self.shared.asked.add(database.oid, Reason::Visit));
        first.visited(from, rest.map(|database| database.oid.to_u32()));
    }

    /// Whether databases are left that wait for room.
    fn start_all(&mut self, now: Instant) -> bool {
        let waiting: Vec<Waiting> = self.shared.asked.after(self.last).collect();
        for waiting in waiting {
            match self.start(waiting) {
                Start::Served => self.last = Some(waiting),
                Start::Held => {}
                Start::NoRoom(bound) => {
                    if waiting.reason == Reason::Work {
                        self.tell(bound);
                    }
                    match bound {
                        Bound::Processes => self.retry.fail(now),
                        Bound::Workers => self.retry.succeed(),
                    }
                    if self.shared.others() == 0 {
                        self.take_turn(waiting);
                    }
                    return true;
                }
            }
        }
        self.retry.succeed();
        false
    }

    fn start(&mut self, waiting: Waiting) -> Start {
        let shared = self.shared;
        let database = waiting.database;
        if shared.serving(database).is_some() {
            shared.asked.remove(waiting);
            return Start::Served;
        }
        if self.is_outside && is_home(database) {
            self.home_is_asked = true;
            return Start::Held;
        }
        let is_held = shared.closed.contains(database) || shared.agenda.is_paused(database, clock::now());
        if is_held {
            return Start::Held;
        }
        if shared.others() + 1 >= settings::max_workers() {
            return Start::NoRoom(Bound::Workers);
        }
        let Some(role) = self.look(waiting) else { return Start::Held };
        let Some(ticket) = shared.assign(database, role, waiting.reason) else {
            return Start::NoRoom(Bound::Workers);
        };
        shared.asked.remove(waiting);
        let builder = super::builder("pg_net worker").set_argument(Some(ticket.argument().into()));
        let Some(process) = dynamic::Process::start(builder) else {
            shared.revoke(ticket);
            shared.ask(database, waiting.reason);
            shared.first.take_launch();
            return Start::NoRoom(Bound::Processes);
        };
        shared.agenda.start(database);
        self.started.push((ticket, process));
        Start::Served
    }

    /// The role that a worker can connect as, if one can. One that cannot is tried again later, or not at all.
    fn look(&mut self, waiting: Waiting) -> Option<pg_sys::Oid> {
        let Waiting { database, reason, .. } = waiting;
        let username = settings::username();
        let look = transaction(c"looking for a database", |_| database::look(database, username.as_deref()));
        let obstacle = match look {
            Ok(Look::Clear(role)) => return Some(role),
            Ok(Look::NoDatabase) => {
                self.shared.agenda.remove(database);
                self.shared.asked.remove(waiting);
                return None;
            }
            // Nothing is known to wait there.
            Ok(Look::NoEntry(_)) if reason == Reason::Visit => {
                self.shared.asked.remove(waiting);
                return None;
            }
            Ok(Look::NoEntry(obstacle) | Look::NoRole(obstacle)) => obstacle,
            Err(error) => error.to_string(),
        };
        if self.shared.agenda.failures(database) == 0 && self.told.insert(obstacle.clone()) {
            pgrx::log!("pg_net: {obstacle}; requests wait until that changes");
        }
        self.shared.agenda.fail(database, clock::now());
        None
    }

    /// Has this process serve a database with its next start: there is room for no other, and so nobody who makes room.
    fn take_turn(&mut self, waiting: Waiting) {
        if self.shared.first.has_turn() {
            return;
        }
        if let Some(role) = self.look(waiting) {
            self.last = Some(waiting);
            self.shared.first.set_turn(waiting.database, role);
        }
    }

    fn tell(&self, bound: Bound) {
        let (value, what) = match bound {
            Bound::Workers => (settings::max_workers() as i32, "pg_net.max_workers"),
            Bound::Processes => (server::max_worker_processes(), "max_worker_processes"),
        };
        if self.shared.first.is_news(bound, value) {
            pgrx::log!(
                "pg_net: databases with requests take turns, since {what} is {value}; raise it to have each served at once"
            );
        }
    }
}

/// Whether a database is that of the settings.
fn is_home(database: pg_sys::Oid) -> bool {
    let name = settings::database_name();
    transaction(c"looking for a database", |_| database::name(database) == name).unwrap_or(false)
}
