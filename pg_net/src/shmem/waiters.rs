//! Who waits for the response to which request.
//!
//! A session that waits sleeps until a process tells it that something has happened to just this request. The order is what
//! makes that safe: a waiter first says what it waits for and then looks at the tables; a process that changes them commits first
//! and then looks who waits. So one of the two sees the other.

use std::cell::Cell;
use std::sync::atomic::{AtomicI32, AtomicI64, AtomicU32, Ordering::SeqCst};

use pgrx::pg_sys;

use super::per_process::PerProcess;
use crate::pg::process::{latch, server};

/// How many wait; and for each process what it waits for.
pub(super) static WAITERS: PerProcess<AtomicU32, Waiter> = PerProcess::new(c"pg_net waiters");

#[repr(C)]
pub(super) struct Waiter {
    state: AtomicU32,
    database: AtomicU32,
    pid: AtomicI32,
    request: AtomicI64,
}

const IDLE: u32 = 0;
const WAITING: u32 = 1;
/// Something has happened to the request.
const TOLD: u32 = 2;

thread_local! {
    /// Whether this process is counted among those who wait.
    static COUNTED: Cell<bool> = const { Cell::new(false) };
}

/// This session waits for requests, until the value is dropped.
pub(crate) struct Wait(());

impl Wait {
    pub(crate) fn begin() -> Self {
        if !COUNTED.replace(true) {
            WAITERS.common().fetch_add(1, SeqCst);
        }
        Self(())
    }

    /// From now on it is this request. To be followed by a read of the tables.
    pub(crate) fn expect(&self, request: i64) {
        let mine = mine();
        // A teller that comes in between wakes us for nothing, at worst.
        mine.state.store(IDLE, SeqCst);
        mine.database.store(server::my_database().to_u32(), SeqCst);
        mine.pid.store(server::my_pid(), SeqCst);
        mine.request.store(request, SeqCst);
        mine.state.store(WAITING, SeqCst);
    }

    /// Whether something has happened to the request since [`expect`](Self::expect).
    pub(crate) fn is_told(&self) -> bool {
        mine().state.load(SeqCst) != WAITING
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        end();
    }
}

/// Ends what the session waits for, if it does. Cannot raise: called when a transaction ends, however it does, since a
/// session that is terminated drops nothing.
pub(crate) fn end() {
    if COUNTED.take() {
        mine().state.store(IDLE, SeqCst);
        WAITERS.common().fetch_sub(1, SeqCst);
    }
}

fn mine() -> &'static Waiter {
    &WAITERS.each()[latch::my_place() as usize]
}

/// Whether a session waits, in whatever database.
pub(crate) fn are_there() -> bool {
    WAITERS.common().load(SeqCst) > 0
}

/// Something has happened to these requests of a database, and is committed: wakes those who wait for one of them. The
/// requests are asked for only where a session waits.
pub(crate) fn tell(database: pg_sys::Oid, requests: impl FnOnce() -> Vec<i64>) {
    if are_there() {
        let mut requests = requests();
        tell_sorted(database, &mut requests);
    }
}

/// [`tell`], for a commit callback: cannot raise and asks for no memory.
pub(crate) fn tell_sorted(database: pg_sys::Oid, requests: &mut [i64]) {
    if are_there() {
        requests.sort_unstable();
        wake(database, |request| requests.binary_search(&request).is_ok());
    }
}

/// Anything may have happened to any request of a database.
pub(crate) fn tell_all(database: pg_sys::Oid) {
    if are_there() {
        wake(database, |_| true);
    }
}

fn wake(database: pg_sys::Oid, concerns: impl Fn(i64) -> bool) {
    for (place, waiter) in WAITERS.each().iter().enumerate() {
        if waiter.state.load(SeqCst) == WAITING
            && waiter.database.load(SeqCst) == database.to_u32()
            && concerns(waiter.request.load(SeqCst))
            && waiter.state.compare_exchange(WAITING, TOLD, SeqCst, SeqCst).is_ok()
        {
            latch::set(place as u32, waiter.pid.load(SeqCst));
        }
    }
}
