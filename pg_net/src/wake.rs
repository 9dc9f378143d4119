//! What a transaction owes the worker, paid when it commits.
//!
//! One callback, registered before any backend exists, and a note for the transaction that runs in this one: however many
//! requests it makes, the worker is woken once. A savepoint that is rolled back takes nothing off the note; at worst the
//! worker is woken and finds nothing.

use std::cell::Cell;

use engine::Key;
use pgrx::pg_sys::XactEvent;
use pgrx::{pg_guard, pg_sys};

use crate::pg::server;
use crate::shared;

#[derive(Clone, Copy)]
struct Owed {
    /// The row keys that this transaction brings: the lowest, the highest.
    keys: Option<(Key, Key)>,
    /// Whether the worker is to read the queue.
    wake: bool,
    /// Whether the worker is to be restarted, with a configuration read anew.
    restart: bool,
}

const NOTHING: Owed = Owed { keys: None, wake: false, restart: false };

thread_local! {
    static OWED: Cell<Owed> = const { Cell::new(NOTHING) };
    static LAST_KEY: Cell<Option<Key>> = const { Cell::new(None) };
}

fn owe(change: impl FnOnce(&mut Owed)) {
    let mut owed = OWED.get();
    change(&mut owed);
    OWED.set(owed);
}

/// This transaction brings a row with this key.
pub(crate) fn note_key(key: Key) {
    LAST_KEY.set(Some(key));
    owe(|owed| {
        let (lowest, highest) = owed.keys.unwrap_or((key, key));
        owed.keys = Some((lowest.min(key), highest.max(key)));
    });
}

/// The key that this session noted last, if it was not taken yet.
pub(crate) fn take_last_key() -> Option<Key> {
    LAST_KEY.take()
}

/// Rows with unknown keys may come with this transaction, or have come before it without a note.
pub(crate) fn note_any_key() {
    owe(|owed| owed.keys = Some((0, Key::MAX)));
}

/// The worker is to read the queue when this transaction has committed.
pub(crate) fn wake_at_commit() {
    owe(|owed| owed.wake = true);
}

/// The configuration is to be read anew and the worker restarted when this transaction has committed.
pub(crate) fn restart_at_commit() {
    owe(|owed| owed.restart = true);
}

/// Registers the callback. Called once, while the library is preloaded; backends inherit it.
pub(crate) fn install() {
    // SAFETY: the callback is a function of this library, which is never unloaded.
    unsafe { pg_sys::RegisterXactCallback(Some(at_end), std::ptr::null_mut()) };
}

#[pg_guard]
unsafe extern "C-unwind" fn at_end(event: XactEvent::Type, _argument: *mut std::ffi::c_void) {
    match event {
        // The rows are visible by now. An error here would take the server down: atomics, a signal and a latch cannot raise.
        XactEvent::XACT_EVENT_COMMIT => pay(OWED.replace(NOTHING)),
        // After PREPARE it is another session's COMMIT PREPARED that brings the rows; see `utility`.
        XactEvent::XACT_EVENT_ABORT | XactEvent::XACT_EVENT_PREPARE => OWED.set(NOTHING),
        _ => {}
    }
}

fn pay(owed: Owed) {
    if owed.keys.is_none() && !owed.wake && !owed.restart {
        return;
    }
    let shared = shared::get();
    if shared.serves(server::my_database()) {
        if let Some((lowest, highest)) = owed.keys {
            shared.notes.note(lowest, highest);
        }
        if owed.wake {
            shared.wake_worker();
        }
    }
    if owed.restart {
        server::reload_configuration();
        shared.restart_worker();
    }
}
