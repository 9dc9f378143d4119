//! Transactions that take requests back, until they have committed or rolled back.
//!
//! Such a transaction deletes rows, and whether they are to be sent is not known before it ends. No list of them is kept:
//! while any is open, the worker looks which of the rows that it meets are being deleted, and leaves those alone.

use std::cell::{Cell, RefCell};
use std::sync::atomic::{AtomicU32, AtomicU64, Ordering::SeqCst};

use super::Reason;
use super::per_process::PerProcess;
use super::{waiters, worker_calls};
use crate::pg::process::server;

/// The transactions of all databases.
pub(super) static CANCELS: PerProcess<Cancels, ()> = PerProcess::new(c"pg_net cancels");

#[repr(C)]
pub(super) struct Cancels {
    open: AtomicU32,
    ended: AtomicU64,
}

thread_local! {
    /// Whether the transaction that runs is counted as open.
    static OPEN: Cell<bool> = const { Cell::new(false) };
    /// The ids of the requests that it has taken back.
    static TAKEN: RefCell<Vec<i64>> = const { RefCell::new(Vec::new()) };
}

/// The transaction that runs is about to take requests back. Before it asks for the first.
pub(crate) fn begin() {
    if !OPEN.replace(true) {
        CANCELS.common().open.fetch_add(1, SeqCst);
    }
}

/// It has taken this request back.
pub(crate) fn note(request: i64) {
    TAKEN.with_borrow_mut(|taken| taken.push(request));
}

/// Whether the transaction that runs takes requests back, or has tried to.
pub(crate) fn is_open_here() -> bool {
    OPEN.get()
}

/// The transaction has ended. All sessions see that by now: one that finds it no longer counted sees its end in the tables.
/// Cannot raise.
pub(crate) fn end(committed: bool) {
    worker_calls::end();
    if !OPEN.take() {
        return;
    }
    CANCELS.common().open.fetch_sub(1, SeqCst);
    CANCELS.common().ended.fetch_add(1, SeqCst);
    let database = server::my_database();
    match super::get().serving(database) {
        Some(worker) => worker.set_latch(),
        // It may have left rows alone that this transaction had asked for, and has not taken.
        None => super::get().request_launch(database, Reason::Visit),
    }
    TAKEN.with_borrow_mut(|taken| {
        if committed {
            waiters::tell_sorted(database, taken);
        }
        taken.clear();
    });
}

/// Whether any such transaction is open.
pub(crate) fn are_open() -> bool {
    CANCELS.common().open.load(SeqCst) > 0
}

/// How many have ended.
pub(crate) fn ended() -> u64 {
    CANCELS.common().ended.load(SeqCst)
}
