//! Taking requests back that wait to be sent.

mod find;

use engine::Key;
use pgrx::pg_sys;

use super::request::{caller, enqueue};
use crate::hooks::removals::OwnDelete;
use crate::pg::SqlError;
use crate::pg::catalog::own_tables;
use crate::pg::catalog::role::ActAs;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::spi::fresh_read::look;
use crate::pg::spi::internal::Internal;
use crate::pg::spi::on_table::OnTable;
use crate::pg::spi::plan::{Access, Plan, Session};
use crate::pg::types::array;
use crate::shmem::{cancellations, worker_calls};

sql_function!(cancel, pg_finfo_cancel, cancel_request);
sql_function!(cancel_many, pg_finfo_cancel_many, cancel_requests);

thread_local! {
    /// In full names, as the caller's search path is in force.
    static DELETE: Plan = const {
        Plan::new(
            c"delete from net.http_request_queue q where q.row_key operator(pg_catalog.=) any ($1) returning q.row_key",
        )
    };
}

/// A row of the queue, and the id of its request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiting {
    key: Key,
    id: i64,
}

/// True if at least one request with this id was taken back: it is not sent if the transaction commits, and is if it rolls
/// back.
fn cancel_request(call: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    let Some(id) = call.int8(0) else { return Ok(Some(false.into())) };
    let owner = enqueue::owner()?;
    let caller = caller::of(call);
    let waiting = look(|session| {
        let _owner = ActAs::new(owner, 0);
        find::one(session, id, caller, owner)
    });
    Ok(Some((take_back(waiting) > 0).into()))
}

/// How many requests with these ids were taken back.
fn cancel_requests(call: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    let mut ids = call.int8s(0);
    ids.sort_unstable();
    ids.dedup();
    let owner = enqueue::owner()?;
    let caller = caller::of(call);
    let waiting = match ids[..] {
        [] => Vec::new(),
        _ => look(|_| {
            let _owner = ActAs::new(owner, 0);
            find::many(&ids, caller, owner)
        }),
    };
    Ok(Some((take_back(waiting) as i64).into()))
}

/// Takes rows out of the queue that are not under way. How many.
///
/// They are deleted only after the worker has said that they are not, and from then on it leaves them alone: first because they
/// were granted, then because their deletion has not ended.
fn take_back(mut waiting: Vec<Waiting>) -> usize {
    waiting.sort_unstable();
    let keys: Vec<Key> = waiting.iter().map(|row| row.key).collect();
    let mut left = &keys[..];
    let mut taken = 0;
    while !left.is_empty() {
        let (asked, later) = left.split_at(worker_calls::fitting(left));
        left = later;
        cancellations::begin();
        let grant = worker_calls::may_take_back(asked);
        if grant.keys.is_empty() {
            continue;
        }
        let deleted = delete(&grant.keys);
        taken += deleted.len();
        let id_of = |key: &Key| waiting.binary_search_by_key(key, |row| row.key).ok().map(|at| waiting[at].id);
        deleted.iter().filter_map(id_of).for_each(cancellations::note);
    }
    taken
}

/// The keys of those rows that were still there: another session may have taken some back, and have committed.
fn delete(keys: &[Key]) -> Vec<Key> {
    let Some(_queue) = OnTable::named(own_tables::QUEUE) else { return Vec::new() };
    // By the index, however small the queue was when the statement was planned.
    let internal = Internal::new();
    for (name, value) in [(c"enable_seqscan", c"off"), (c"enable_bitmapscan", c"off"), (c"jit", c"off")] {
        internal.set(name, value);
    }
    let session = Session::connect();
    let keys = array::int8s(keys.iter().copied());
    let _own = OwnDelete::begin();
    let deleted = DELETE.with(|delete| session.run(delete, Access::WriteLatest, [keys]));
    (0..deleted.count()).filter_map(|row| deleted.row::<1>(row).int8(0)).collect()
}
