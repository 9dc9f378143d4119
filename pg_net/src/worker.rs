//! The background worker: claims waiting requests, hands them to the engine, records the outcomes.
//!
//! Only this process' main thread touches Postgres. The engine has a thread of its own, and the two meet at a queue each way
//! and an eventfd, which the main thread waits on together with its latch.

use pgrx::bgworkers::{BackgroundWorker, BackgroundWorkerBuilder, SignalWakeFlags};
use pgrx::{pg_guard, pg_sys};

use crate::pg::catalog::role;
use crate::pg::process::bgworker::{self, end};
use crate::pg::process::revival::RESTART;
use crate::pg::process::{allocator, cancel, latch, server};
use crate::settings;
use crate::shmem::{self, Ticket};

mod claim;
mod claimed;
mod engine_host;
mod expire;
mod held;
mod known_tables;
mod leave_queue;
mod main_loop;
mod memory_trim;
mod record;
mod response_row;
mod session;

use main_loop::Worker;
use session::read_only;

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

fn leave(pid: i32) {
    shmem::get().origins.free_all(server::my_database());
    if read_only::is_on() {
        shmem::get().launcher.note_read_only();
    }
    shmem::get().leave(pid, settings::paused());
    // Where the process ends by a FATAL error, the engine still runs.
    engine::before_exit();
}
