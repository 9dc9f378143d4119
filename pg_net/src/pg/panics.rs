//! What is told of a panic. Errors of Postgres' are panics, too, on their way through Rust code.

use std::backtrace::Backtrace;
use std::panic::PanicHookInfo;
use std::{env, panic, thread};

/// Has no error and no panic of this library tell a backtrace, whatever the environment says; and of a panic of the engine's
/// threads no more than where it was: its message may quote what the engine had in hand.
///
/// Called once, before anything can fail, by the only thread of a process that starts all others.
pub(crate) fn keep_quiet() {
    switch_off_backtraces();
    let main = thread::current().id();
    let hook_of_pgrx = panic::take_hook();
    panic::set_hook(Box::new(
        move |panic| {
            if thread::current().id() == main { hook_of_pgrx(panic) } else { tell_where(panic) }
        },
    ));
}

/// pgrx adds a backtrace to the detail of errors where the environment asks for one. The standard library looks at the
/// environment once, at the first capture, which is made here while the answer is no.
fn switch_off_backtraces() {
    /// Outweighs `RUST_BACKTRACE`.
    const VARIABLE: &str = "RUST_LIB_BACKTRACE";
    let before = env::var_os(VARIABLE);
    // SAFETY: no other thread reads the environment: this process has none.
    unsafe {
        env::set_var(VARIABLE, "0");
        drop(Backtrace::capture());
        match before {
            Some(value) => env::set_var(VARIABLE, value),
            None => env::remove_var(VARIABLE),
        }
    }
}

fn tell_where(panic: &PanicHookInfo) {
    let place = panic.location().map(ToString::to_string).unwrap_or_default();
    let thread = thread::current();
    // The server's standard error is its log, or goes there.
    eprintln!("pg_net: a bug: thread {} panicked at {place}", thread.name().unwrap_or("?"));
}
