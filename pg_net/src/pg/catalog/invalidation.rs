//! Noticing that tables, or who is a member of what, have changed since they were looked at.
//!
//! Postgres tells every process which of its caches are out of date, when a transaction has committed and before its locks
//! are released; what a session does itself, it is told after each command, and again when that is rolled back. We listen.

use std::cell::Cell;

use pgrx::pg_sys::SysCacheIdentifier::{AUTHMEMROLEMEM, AUTHOID, NAMESPACENAME};
use pgrx::{pg_guard, pg_sys};

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
    static PLACES: Cell<u64> = const { Cell::new(0) };
    static WATCHED: [Cell<pg_sys::Oid>; 2] = const { [const { Cell::new(pg_sys::InvalidOid) }; 2] };
    static LISTENING: Cell<bool> = const { Cell::new(false) };
}

/// The tables whose changes are counted.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Watched {
    EgressRules,
    OpenAccess,
}

/// How often a watched table, or the roles and their memberships, may have changed up to now.
pub(crate) fn count() -> u64 {
    listen();
    // Postgres itself listens when a transaction begins or takes a lock on a table; a call within one may do neither.
    // SAFETY: what may happen at any lock may happen here, within a transaction.
    unsafe { pg_sys::AcceptInvalidationMessages() };
    COUNT.get()
}

/// How often a table, an index, or the name of a schema may have changed, as far as Postgres has told this process. It is told
/// at the latest when a transaction begins, as its caches of the catalogs are.
pub(crate) fn changed_places() -> u64 {
    listen();
    PLACES.get()
}

fn listen() {
    if LISTENING.replace(true) {
        return;
    }
    // SAFETY: the callbacks are functions of this library, which is never unloaded.
    unsafe {
        pg_sys::CacheRegisterRelcacheCallback(Some(relation_changed), pg_sys::Datum::null());
        for cache in [AUTHMEMROLEMEM, AUTHOID] {
            pg_sys::CacheRegisterSyscacheCallback(cache as i32, Some(roles_changed), pg_sys::Datum::null());
        }
        pg_sys::CacheRegisterSyscacheCallback(NAMESPACENAME as i32, Some(schema_changed), pg_sys::Datum::null());
    }
}

/// Watches the table with this oid from now on, in the place of an earlier one.
pub(crate) fn watch(table: Watched, relation: pg_sys::Oid) {
    WATCHED.with(|watched| watched[table as usize].set(relation));
}

/// Tells every process of this database that a table has changed, when the transaction that runs commits.
pub(crate) fn announce(relation: pg_sys::Oid) {
    // SAFETY: within a transaction; raises where there is no such table.
    unsafe { pg_sys::CacheInvalidateRelcacheByRelid(relation) };
}

#[pg_guard]
unsafe extern "C-unwind" fn relation_changed(_argument: pg_sys::Datum, relation: pg_sys::Oid) {
    PLACES.set(PLACES.get() + 1);
    // Invalid stands for all.
    let is_watched = || WATCHED.with(|watched| watched.iter().any(|table| table.get() == relation));
    if relation == pg_sys::InvalidOid || is_watched() {
        COUNT.set(COUNT.get() + 1);
    }
}

#[pg_guard]
unsafe extern "C-unwind" fn roles_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    COUNT.set(COUNT.get() + 1);
}

#[pg_guard]
unsafe extern "C-unwind" fn schema_changed(_argument: pg_sys::Datum, _cache: i32, _hash: u32) {
    PLACES.set(PLACES.get() + 1);
}
