//! Keeps threads out of OpenSSL when the process exits.
//!
//! Another part of the host may have OpenSSL clean up at exit, as a Postgres server with `ssl = on` does. A thread
//! that used OpenSSL then would crash. So no thread of the engine is in OpenSSL, nor enters it, once the process is
//! about to exit.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static USE: RwLock<()> = RwLock::new(());

/// Held while a thread is in OpenSSL, and never while it waits.
pub(crate) type Use = RwLockReadGuard<'static, ()>;

/// Runs a function in OpenSSL.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> T {
    let _use = begin();
    work()
}

/// Waits for ever if the process is [about to exit](before_exit). Must not be nested.
pub(crate) fn begin() -> Use {
    USE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps all engines of the process out of OpenSSL from now on, and waits until none is in it. For a host that is
/// about to exit: its engines make no progress any more.
pub fn before_exit() {
    std::mem::forget::<RwLockWriteGuard<'_, ()>>(USE.write().unwrap_or_else(PoisonError::into_inner));
}
