//! The visitor: a short-lived process that reads in the shared catalogs what the launcher needs to know, and leaves it in shared
//! memory. It is connected to no database, so that it is in no command's way.

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::{pg_guard, pg_sys};

use crate::pg::catalog::database::{self, Database, Look};
use crate::pg::catalog::role;
use crate::pg::process::bgworker;
use crate::pg::process::{cancel, server};
use crate::pg::spi::transaction::transaction;
use crate::settings;
use crate::shmem::{self, LaunchRequest, Reason, Shared, Verdict};

/// How to start its process.
pub(super) fn builder() -> BackgroundWorkerBuilder {
    bgworker::builder("pg_net visitor", "pg_net_visitor").enable_spi_access()
}

/// The visitor's process, from its start to its end.
#[pg_guard]
#[unsafe(no_mangle)]
pub(crate) extern "C-unwind" fn pg_net_visitor(_argument: pg_sys::Datum) {
    cancel::install();
    cancel::end_by_sigterm();
    role::set_worker();
    BackgroundWorker::attach_signal_handlers(SignalWakeFlags::SIGHUP);
    bgworker::read_configuration();
    bgworker::connect_to_shared_catalogs();
    // A session that holds a catalog locked must not keep it: the launcher sends another one.
    for setting in [c"lock_timeout", c"statement_timeout"] {
        server::set_for_session(setting, c"1s");
    }
    let visitor = Visitor { shared: shmem::get(), username: settings::username() };
    match transaction(c"looking for databases", |_| visitor.look()) {
        Ok(()) => visitor.shared.launcher.count_visit(),
        Err(error) => pgrx::warning!("pg_net: could not look for databases, and will try again: {error}"),
    }
    bgworker::end(0);
}

struct Visitor {
    shared: &'static Shared,
    username: Option<String>,
}

impl Visitor {
    fn look(&self) {
        let name = settings::database_name();
        let home = Database::of_name(&name).map_or(pg_sys::InvalidOid, |database| database.oid);
        self.shared.home.set_database(home);
        self.list();
        // That of the settings is its own worker's affair, unless that one is elsewhere.
        let is_homes =
            |waiting: &LaunchRequest| waiting.database == home.to_u32() && !self.shared.home_slot().is_running();
        for waiting in self.shared.launch_requests.after(None).filter(|waiting| waiting.verdict == Verdict::Unknown) {
            if is_homes(&waiting) {
                continue;
            }
            let verdict = if waiting.is_home() { self.look_for_home(home, &name) } else { self.look_at(waiting) };
            self.shared.launch_requests.judge(waiting, verdict);
        }
    }

    /// Asks for the databases that are to be visited, as far as they can be noted.
    fn list(&self) {
        let (launcher, requests) = (&self.shared.launcher, &self.shared.launch_requests);
        let Some(from) = launcher.visit_from() else { return };
        let mut databases = Database::all();
        databases.retain(|database| database.oid.to_u32() >= from && !self.shared.is_served(database.oid));
        databases.sort_unstable_by_key(|database| database.oid.to_u32());
        let rest = databases.iter().find(|database| !requests.add(database.oid, Reason::Visit));
        launcher.visited(from, rest.map(|database| database.oid.to_u32()));
    }

    /// Whether the worker of `pg_net.database_name` can connect.
    fn look_for_home(&self, home: pg_sys::Oid, name: &str) -> Verdict {
        let obstacle = match database::look(home, self.username.as_deref()) {
            Look::Clear(_) => {
                self.shared.launcher.clear_news_of_home();
                return Verdict::Clear;
            }
            Look::NoDatabase => format!("database \"{name}\" does not exist"),
            Look::NoRole(obstacle) | Look::NoEntry(obstacle) => obstacle,
        };
        if self.shared.launcher.is_news_of_home(&obstacle) {
            pgrx::log!("pg_net: {obstacle}; the worker waits until that changes");
        }
        Verdict::Refused
    }

    /// Whether a worker can connect to a database that waits for one.
    fn look_at(&self, LaunchRequest { database, reason, .. }: LaunchRequest) -> Verdict {
        let is_first = self.shared.wake_schedule.failures(database) == 0;
        let (obstacle, is_news) = match database::look(database.into(), self.username.as_deref()) {
            Look::Clear(role) => {
                self.shared.launcher.set_role(role);
                return Verdict::Clear;
            }
            Look::NoDatabase => {
                self.shared.wake_schedule.remove(database);
                return Verdict::Gone;
            }
            // Nothing is known to wait there.
            Look::NoEntry(_) if reason == Reason::Visit => return Verdict::Gone,
            Look::NoEntry(obstacle) => (obstacle, is_first),
            Look::NoRole(obstacle) => {
                let is_news = is_first && self.shared.launcher.is_news_of_role(&obstacle);
                (obstacle, is_news)
            }
        };
        if is_news {
            pgrx::log!("pg_net: {obstacle}; requests wait until that changes");
        }
        Verdict::Refused
    }
}
