//! The worker of `pg_net.database_name` where it cannot connect at once: its process waits, unconnected, until the launcher lets
//! it in.

use std::time::{Duration, Instant};

use pgrx::bgworkers::BackgroundWorker;

use super::reload_configuration;
use crate::pg::process::revival::Revival;
use crate::pg::process::wait;
use crate::pg::process::wait_event::WaitEvent;
use crate::settings;
use crate::shmem::{self, HOME_DATABASE};

/// After how long the process comes in by itself, at first and at most. A visitor takes milliseconds where there is one.
const SHORTEST_WAIT: Duration = Duration::from_secs(10);
const LONGEST_WAIT: Duration = Duration::from_secs(60);

/// Waits until the launcher lets the process in. False if it was asked to end instead.
///
/// Where no answer comes, since there is no launcher or no room for a visitor, the process comes in by itself after a pause that
/// grows with each connection that failed.
pub(in crate::worker) fn wait() -> bool {
    let shared = shmem::get();
    let home = &shared.home;
    let mut revival = Revival::default();
    // The launcher waits at most half as long before it has a visitor look.
    let failures = shared.wake_schedule.failures(HOME_DATABASE);
    let mut pause = Duration::from_secs(1 << failures.min(6)).clamp(SHORTEST_WAIT, LONGEST_WAIT);
    let mut come_in_at = Instant::now() + pause;
    shared.wait_for_entry();
    loop {
        pgrx::check_for_interrupts!();
        if BackgroundWorker::sigterm_received() {
            return false;
        }
        let is_changed = home.take_settings();
        if BackgroundWorker::sighup_received() || is_changed {
            reload_configuration();
        }
        if is_changed {
            shared.wake_schedule.remove(HOME_DATABASE);
            // What was left to this process may be others' business now.
            shared.launcher.visit_all();
            shared.wait_for_entry();
        }
        if home.is_let_in() {
            return true;
        }
        let now = Instant::now();
        if come_in_at <= now && home.may_come_in() {
            if shared.come_in(settings::max_workers()) {
                return true;
            }
            pause = (pause * 2).min(LONGEST_WAIT);
            come_in_at = now + pause;
        }
        revival.watch(now, shared.launcher.is_missing());
        let come_in_at = Some(come_in_at).filter(|_| home.may_come_in());
        let next = come_in_at.into_iter().chain(revival.deadline()).min();
        wait::wait_for_latch(WaitEvent::WorkerEntry, next.map(|next| next.saturating_duration_since(now)));
    }
}
