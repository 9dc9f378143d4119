//! What a transaction owes the worker, paid when it commits.
//!
//! Two callbacks, registered before any backend exists, and a note for the transaction that runs in this one: however many
//! requests it makes, the worker is woken once. A savepoint that is rolled back takes nothing off the note; at worst the
//! worker is woken and finds nothing.
//!
//! The first callback comes when the transaction has committed. The debt is paid in the second, a little later: when the
//! other processes have been told which of their catalog caches are out of date, and the locks are gone. A worker that was
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

#[derive(Clone, Copy)]
struct Owed {
    /// The row keys that this transaction brings: the lowest, the highest.
    keys: Option<(Key, Key)>,
    /// The earliest time that one of these rows waits for.
    due: Option<Timestamp>,
    /// Whether the worker is to read the queue.
    wake: bool,
    /// Whether the worker is to be restarted, with a configuration read anew.
    restart: bool,
    /// A database that may have been opened to connections.
    visit: Option<pg_sys::Oid>,
    /// What sessions are given has changed: of this database, or of all.
    defaults: Option<Option<pg_sys::Oid>>,
}

const NOTHING: Owed = Owed { keys: None, due: None, wake: false, restart: false, visit: None, defaults: None };

thread_local! {
    /// By the transaction that runs.
    static OWED: Cell<Owed> = const { Cell::new(NOTHING) };
    /// By the transaction that has committed and is being wound up.
    static DUE: Cell<Owed> = const { Cell::new(NOTHING) };
    static LAST_KEY: Cell<Option<Key>> = const { Cell::new(None) };
}

fn owe(change: impl FnOnce(&mut Owed)) {
    let mut owed = OWED.get();
    change(&mut owed);
    OWED.set(owed);
}

/// A row with this key is about to be inserted.
pub(crate) fn expect_key(key: Key) {
    LAST_KEY.set(Some(key));
}

/// This transaction brings a row with this key.
pub(crate) fn note_key(key: Key) {
    expect_key(key);
    owe(|owed| {
        let (lowest, highest) = owed.keys.unwrap_or((key, key));
        owed.keys = Some((lowest.min(key), highest.max(key)));
    });
}

/// The key that this session noted last, if it was not taken yet.
pub(crate) fn take_last_key() -> Option<Key> {
    LAST_KEY.take()
}

/// This transaction brings a row that is due at this time.
pub(crate) fn note_due(due: Timestamp) {
    owe(|owed| owed.due = Some(owed.due.map_or(due, |earlier| earlier.min(due))));
}

/// Rows with unknown keys may come with this transaction, or have come before it without a note.
pub(crate) fn note_any_key() {
    owe(|owed| owed.keys = Some((0, Key::MAX)));
    note_due(NEVER_YET);
}

/// The worker is to read the queue when this transaction has committed.
pub(crate) fn wake_at_commit() {
    owe(|owed| owed.wake = true);
    if mutants::wakes_before_commit() {
        pay(OWED.replace(NOTHING));
    }
}

/// The configuration is to be read anew and the worker restarted when this transaction has committed.
pub(crate) fn restart_at_commit() {
    owe(|owed| owed.restart = true);
}

/// Somebody is to look whether a database has requests that wait, when this transaction has committed.
pub(crate) fn visit_at_commit(database: pg_sys::Oid) {
    owe(|owed| owed.visit = Some(database));
}

/// Workers are to look what sessions of a database, or of all, are given, when this transaction has committed.
pub(crate) fn change_defaults_at_commit(database: Option<pg_sys::Oid>) {
    owe(|owed| owed.defaults = Some(if owed.defaults.is_some() { None } else { database }));
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
        XactEvent::XACT_EVENT_COMMIT => DUE.set(OWED.replace(NOTHING)),
        // After PREPARE it is another session's COMMIT PREPARED that brings the rows; see `utility`.
        XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE => OWED.set(NOTHING),
        _ => return,
    }
    utility::transaction_ended();
}

/// Called for each phase and each owner of resources that is released, so mostly with nothing due.
#[pg_guard]
unsafe extern "C-unwind" fn at_release(
    phase: pg_sys::ResourceReleasePhase::Type,
    is_commit: bool,
    is_top_level: bool,
    _argument: *mut std::ffi::c_void,
) {
    if phase == pg_sys::ResourceReleasePhase::RESOURCE_RELEASE_AFTER_LOCKS && is_commit && is_top_level {
        pay(DUE.replace(NOTHING));
    }
}

/// An error here would take the server down: atomics, a signal and a latch cannot raise.
fn pay(owed: Owed) {
    if owed.keys.is_none() && !owed.wake && !owed.restart && owed.visit.is_none() && owed.defaults.is_none() {
        return;
    }
    let shared = shmem::get();
    let database = server::my_database();
    shared.bring(database, owed.keys, owed.due, owed.wake);
    if let Some(visit) = owed.visit {
        shared.ask(visit, Reason::Visit);
    }
    if let Some(of) = owed.defaults {
        shared.change_defaults(of);
    }
    if owed.restart {
        server::reload_configuration();
        shared.restart(database);
    }
}
