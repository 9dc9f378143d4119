//! Notifications that a transaction sends to the worker after it commits.
//!
//! Two callbacks are registered before any backend exists. What the running transaction has to notify is kept in this process:
//! however many requests it makes, the worker is woken once. A savepoint that is rolled back takes nothing back; at worst the
//! worker is woken and finds nothing.
//!
//! The first callback comes when the transaction has committed. The notifications are flushed in the second, a little later: when
//! the other processes have been told which of their catalog caches are out of date, and the locks are released. A worker that was
//! woken before might not see a table that this very transaction has made.

use std::cell::Cell;

use engine::Key;
use pgrx::pg_sys::XactEvent;
use pgrx::{pg_guard, pg_sys};

use super::utility;
use crate::pg::process::server;
use crate::pg::types::clock::{NEVER_YET, Timestamp};
use crate::shmem::Reason;
use crate::{mutants, shmem};

/// What is to be said to the worker and to the launcher.
#[derive(Clone, Copy)]
struct Notifications {
    /// The row keys that this transaction brings: the lowest, the highest.
    keys: Option<(Key, Key)>,
    /// The earliest time that one of these rows waits for.
    due: Option<Timestamp>,
    /// Whether the worker is to read the queue.
    wake: bool,
    /// Whether the worker is to be restarted, with the configuration read again.
    restart: bool,
    /// A database that may have been opened to connections.
    visit: Option<pg_sys::Oid>,
    /// What sessions are given has changed: of this database, or of all.
    defaults: Option<Option<pg_sys::Oid>>,
}

const NOTHING: Notifications =
    Notifications { keys: None, due: None, wake: false, restart: false, visit: None, defaults: None };

thread_local! {
    /// Of the transaction that runs.
    static PENDING: Cell<Notifications> = const { Cell::new(NOTHING) };
    /// Of the transaction that has committed and is being wound up.
    static COMMITTED: Cell<Notifications> = const { Cell::new(NOTHING) };
    static LAST_KEY: Cell<Option<Key>> = const { Cell::new(None) };
}

fn note(change: impl FnOnce(&mut Notifications)) {
    let mut pending = PENDING.get();
    change(&mut pending);
    PENDING.set(pending);
}

/// A row with this key is about to be inserted.
pub(crate) fn expect_key(key: Key) {
    LAST_KEY.set(Some(key));
}

/// This transaction brings a row with this key.
pub(crate) fn note_key(key: Key) {
    expect_key(key);
    note(|pending| {
        let (lowest, highest) = pending.keys.unwrap_or((key, key));
        pending.keys = Some((lowest.min(key), highest.max(key)));
    });
}

/// The key that this session noted last, if it was not taken yet.
pub(crate) fn take_last_key() -> Option<Key> {
    LAST_KEY.take()
}

/// This transaction brings a row that is due at this time.
pub(crate) fn note_due(due: Timestamp) {
    note(|pending| pending.due = Some(pending.due.map_or(due, |earlier| earlier.min(due))));
}

/// Rows with unknown keys may come with this transaction, or have come before it without a note.
pub(crate) fn note_any_key() {
    note(|pending| pending.keys = Some((0, Key::MAX)));
    note_due(NEVER_YET);
}

/// The worker is to read the queue when this transaction has committed.
pub(crate) fn wake_at_commit() {
    note(|pending| pending.wake = true);
    if mutants::wakes_before_commit() {
        flush(PENDING.replace(NOTHING));
    }
}

/// The configuration is to be read again and the worker restarted when this transaction has committed.
pub(crate) fn restart_at_commit() {
    note(|pending| pending.restart = true);
}

/// A visitor is to look whether a database has requests that wait, when this transaction has committed.
pub(crate) fn visit_at_commit(database: pg_sys::Oid) {
    note(|pending| pending.visit = Some(database));
}

/// Workers are to look what sessions of a database, or of all, are given, when this transaction has committed.
pub(crate) fn change_defaults_at_commit(database: Option<pg_sys::Oid>) {
    note(|pending| pending.defaults = Some(if pending.defaults.is_some() { None } else { database }));
}

/// Registers the callbacks. Called once, while the library is preloaded; backends inherit them.
pub(crate) fn install() {
    // SAFETY: the callbacks are functions of this library, which is never unloaded.
    unsafe {
        pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut());
        pg_sys::RegisterResourceReleaseCallback(Some(at_release), std::ptr::null_mut());
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: XactEvent::Type, _argument: *mut std::ffi::c_void) {
    match event {
        XactEvent::XACT_EVENT_COMMIT => COMMITTED.set(PENDING.replace(NOTHING)),
        // After PREPARE it is another session's COMMIT PREPARED that brings the rows; see `utility`.
        XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE => PENDING.set(NOTHING),
        _ => return,
    }
    utility::transaction_ended();
}

/// Called for each phase and each owner of resources that is released, so mostly with nothing to flush.
#[pg_guard]
unsafe extern "C-unwind" fn at_release(
    phase: pg_sys::ResourceReleasePhase::Type,
    is_commit: bool,
    is_top_level: bool,
    _argument: *mut std::ffi::c_void,
) {
    if phase == pg_sys::ResourceReleasePhase::RESOURCE_RELEASE_AFTER_LOCKS && is_commit && is_top_level {
        flush(COMMITTED.replace(NOTHING));
    }
}

/// An error here would take the server down: atomics, a signal and a latch cannot raise.
fn flush(pending: Notifications) {
    if pending.keys.is_none()
        && !pending.wake
        && !pending.restart
        && pending.visit.is_none()
        && pending.defaults.is_none()
    {
        return;
    }
    let shared = shmem::get();
    let database = server::my_database();
    shared.publish(database, pending.keys, pending.due, pending.wake);
    if let Some(visit) = pending.visit {
        shared.request_launch(visit, Reason::Visit);
    }
    if let Some(of) = pending.defaults {
        shared.change_defaults(of);
    }
    if pending.restart {
        server::reload_configuration();
        shared.restart(database);
    }
}
