//! Who is at work in OpenSSL at the moment.
//!
//! A host's other parts may have OpenSSL tidy up when the process exits, as a Postgres server with `ssl = on` does. What still
//! uses it then, on another thread, would crash. So no thread of ours is in it, nor gets in, once the process is about to end.

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

static USE: RwLock<()> = RwLock::new(());

/// Held by those who are in OpenSSL. Never by one who waits for something.
pub(crate) type Use = RwLockReadGuard<'static, ()>;

/// Does something in OpenSSL.
pub(crate) fn during<T>(work: impl FnOnce() -> T) -> T {
    let _use = begin();
    work()
}

/// Waits for ever where the process is [about to end](before_exit). Not to be nested.
pub(crate) fn begin() -> Use {
    USE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps all engines of the process out of OpenSSL from now on, and waits until none is in it. For a host that is about to
/// exit, whatever its engines are at: they make no progress any more.
pub fn before_exit() {
    std::mem::forget::<RwLockWriteGuard<'_, ()>>(USE.write().unwrap_or_else(PoisonError::into_inner));
}
