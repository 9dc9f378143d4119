//! Asynchronous HTTP requests from SQL: the half that knows Postgres. The other half, which knows HTTP, is `engine`.
//!
//! A request function ([`functions`]) checks its arguments and inserts a row into the queue; when its transaction commits,
//! a callback ([`hooks::commit`]) sets the worker's latch, through shared memory ([`shmem`]). Each database has
//! a [`worker`], which claims rows, hands them to the engine, and records the outcomes; the [`launcher`] starts the workers. What
//! touches Postgres' C interface lies in [`pg`], behind safe faces.

use std::ffi::CStr;

use pgrx::pg_guard;

mod functions;
mod hooks;
mod launcher;
mod mutants;
mod pg;
mod schema;
mod settings;
mod shmem;
mod tables;
mod user_code;
mod worker;

const C_VERSION: &CStr = match CStr::from_bytes_with_nul(concat!(env!("CARGO_PKG_VERSION"), "\0").as_bytes()) {
    Ok(version) => version,
    Err(_) => panic!("a version has no NUL"),
};

pgrx::pg_module_magic!(name = c"pg_net", version = C_VERSION);

/// Called by Postgres when it loads the library.
#[pg_guard]
pub extern "C-unwind" fn _PG_init() {
    // pg_upgrade loads every library in a server of its own that must not send anything.
    if pg::process::server::in_binary_upgrade() {
        return;
    }
    pg::panics::keep_quiet();
    if !pg::process::server::preloading() {
        pg::SqlError::new(
            pgrx::PgSqlErrorCode::ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
            "pg_net is not in shared_preload_libraries",
        )
        .hint("Add pg_net to shared_preload_libraries in postgresql.conf and restart the server.")
        .raise();
    }
    settings::define();
    functions::request::caller::define();
    settings::unknown::warn_at_start();
    shmem::reserve();
    hooks::commit::install();
    hooks::transaction_cleanup::install();
    hooks::removals::install();
    hooks::utility::install();
    hooks::access::install();
    user_code::install();
    // Where there is room for one alone, that is the worker.
    worker::register();
    launcher::register();
}
