//! The first worker where its own database cannot be connected to: it waits outside of any, and goes on starting others.

use std::ptr;
use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorker;
use pgrx::pg_sys;

use super::launcher::Launcher;
use super::start::reload_configuration;
use crate::pg::database::{self, Look};
use crate::pg::transaction::transaction;
use crate::pg::wait;
use crate::{settings, shared};

const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Waits until a connection can succeed, as far as the shared catalogs tell, until it is another database's turn, or until the
/// process is asked to end. `failed` is how many in a row have not succeeded.
pub(super) fn wait(failed: u32) {
    // SAFETY: connects to the shared catalogs alone; allowed once, as the first thing.
    unsafe { pg_sys::BackgroundWorkerInitializeConnection(ptr::null(), ptr::null(), 0) };
    let first = &shared::get().first;
    let mut launcher = Launcher::new(true);
    let mut obstacle = None;
    let mut told = None;
    // What the shared catalogs do not tell may be in the way, too.
    let mut pause =
        if failed == 0 { Duration::ZERO } else { Duration::from_secs(1 << failed.min(6)).min(LONGEST_WAIT) };
    let mut look_at = Instant::now() + pause;
    loop {
        pgrx::check_for_interrupts!();
        if BackgroundWorker::sigterm_received() {
            return;
        }
        let is_changed = first.take_settings();
        let is_reload = BackgroundWorker::sighup_received();
        if is_reload || is_changed {
            reload_configuration();
            launcher.reload();
        }
        if is_reload {
            settings::unknown::warn_at_reload();
        }
        let now = Instant::now();
        launcher.work(now);
        if first.has_turn() {
            return;
        }
        if is_changed || launcher.is_home_asked() || obstacle == Some(Obstacle::Command) || look_at <= now {
            obstacle = look();
            match &obstacle {
                None => {
                    first.set_looked();
                    return;
                }
                Some(Obstacle::Lasting(what)) if told.as_ref() != Some(what) => {
                    pgrx::log!("pg_net: {what}; the worker waits until that changes");
                    told = Some(what.clone());
                }
                Some(_) => {}
            }
            pause = (pause * 2).clamp(Duration::from_secs(1), LONGEST_WAIT);
            look_at = now + pause;
        }
        let next = launcher.deadline().map_or(look_at, |deadline| deadline.min(look_at));
        wait::wait_for_latch(next.saturating_duration_since(Instant::now()));
    }
}

/// What is in the way of a connection.
#[derive(Debug, PartialEq, Eq)]
enum Obstacle {
    /// A command that needs the database to itself, and wakes this process when it has ended.
    Command,
    Lasting(String),
}

/// What is in the way of a connection, as far as the shared catalogs tell.
fn look() -> Option<Obstacle> {
    let failed = |error| Some(Obstacle::Lasting(format!("{error}")));
    transaction(c"looking for the database", |_| look_within()).unwrap_or_else(failed)
}

fn look_within() -> Option<Obstacle> {
    let (name, username) = (settings::database_name(), settings::username());
    let home = database::oid(&name);
    match database::look(home, username.as_deref()) {
        Look::Clear(_) => shared::get().closed.contains(home).then_some(Obstacle::Command),
        Look::NoDatabase => Some(Obstacle::Lasting(format!("database \"{name}\" does not exist"))),
        Look::NoRole(obstacle) | Look::NoEntry(obstacle) => Some(Obstacle::Lasting(obstacle)),
    }
}
