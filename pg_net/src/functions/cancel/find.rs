//! Which rows of the queue requests have, of those that a role may take back.

use std::cell::Cell;

use engine::Key;
use pgrx::pg_sys;

use super::Waiting;
use crate::functions::request::row_key_hint;
use crate::pg::catalog::role;
use crate::pg::spi::plan::{Access, Plan, Rows, Session};
use crate::pg::types::value::Value;

/// Rows that one statement reads.
const BLOCK: usize = 10_000;
/// Ranges beyond which the queue is read from the first to the last of them.
const MOST_RANGES: usize = 1000;

thread_local! {
    /// The rows of an id that the role may take back: those with row keys in a range, and all. With the owner's rights, and
    /// in full names, as the caller's search path is in force.
    static NEAR: Plan = const {
        Plan::new(
            c"select q.row_key from net.http_request_queue q \
              where q.id operator(pg_catalog.=) $1 \
                and q.row_key operator(pg_catalog.>=) $4 and q.row_key operator(pg_catalog.<=) $5 \
                and (pg_catalog.pg_has_role($2, q.requested_by, 'usage') or pg_catalog.pg_has_role($2, $3, 'usage'))",
        )
    };
    static FIND: Plan = const {
        Plan::new(
            c"select q.row_key from net.http_request_queue q \
              where q.id operator(pg_catalog.=) $1 \
                and (pg_catalog.pg_has_role($2, q.requested_by, 'usage') or pg_catalog.pg_has_role($2, $3, 'usage'))",
        )
    };
    /// Of any role, as they are. Of each row only what this needs is read.
    static BLOCK_OF_ROWS: Plan = const {
        Plan::new(
            c"select q.row_key, q.id, q.requested_by from net.http_request_queue q \
              where q.row_key operator(pg_catalog.>=) $1 and q.row_key operator(pg_catalog.<=) $2 \
              order by q.row_key limit $3",
        )
    };
}

/// The rows of the requests with this id that a role may take back. Of an id that comes twice, far apart, perhaps not all.
pub(super) fn one(session: &Session, id: i64, caller: pg_sys::Oid, owner: pg_sys::Oid) -> Vec<Waiting> {
    let waiting = |rows: Rows| {
        let key = |row| rows.row::<1>(row).int8(0);
        (0..rows.count()).filter_map(key).map(|key| Waiting { key, id }).collect::<Vec<_>>()
    };
    let arguments @ [a1, a2, a3] = [Value::int8(id), Value::oid(caller), Value::oid(owner)];
    if let Some((lowest, highest)) = row_key_hint::likely_keys(&[id]) {
        let arguments = [a1, a2, a3, Value::int8(lowest), Value::int8(highest)];
        let near = NEAR.with(|near| waiting(session.run(near, Access::Read, arguments)));
        if !near.is_empty() {
            return near;
        }
    }
    let found = FIND.with(|find| waiting(session.run(find, Access::Read, arguments)));
    if let Some(first) = found.first() {
        row_key_hint::note(id, first.key);
    }
    found
}

/// The same for many ids, which must be sorted: in any case the queue is read no more than twice.
pub(super) fn many(ids: &[i64], caller: pg_sys::Oid, owner: pg_sys::Oid) -> Vec<Waiting> {
    let mut search = Search { ids, seen: vec![false; ids.len()], rights: Rights::of(caller, owner), found: Vec::new() };
    let ranges = row_key_hint::likely_ranges(ids);
    match (ranges.first(), ranges.last()) {
        (Some(&(lowest, _)), Some(&(_, highest))) if ranges.len() > MOST_RANGES => search.read(lowest, highest),
        _ => ranges.iter().for_each(|&(lowest, highest)| search.read(lowest, highest)),
    }
    if search.seen.contains(&false) {
        search.found.clear();
        search.read(Key::MIN, Key::MAX);
        if let Some(last) = search.found.last() {
            row_key_hint::note(last.id, last.key);
        }
    }
    search.found
}

struct Search<'a> {
    ids: &'a [i64],
    /// Which of them were met, whosever they are.
    seen: Vec<bool>,
    rights: Rights,
    found: Vec<Waiting>,
}

impl Search<'_> {
    /// Reads the rows with keys in a range.
    fn read(&mut self, mut lowest: Key, highest: Key) {
        loop {
            // One session a block: its rows are freed when it ends.
            let session = Session::connect();
            let limit = BLOCK as i64;
            let rows =
                BLOCK_OF_ROWS.with(|plan| session.run(plan, Access::Read, [lowest, highest, limit].map(Value::int8)));
            let mut last = None;
            for row in 0..rows.count() {
                let row = rows.row::<3>(row);
                let (Some(key), Some(id)) = (row.int8(0), row.int8(1)) else { continue };
                last = Some(key);
                let Ok(place) = self.ids.binary_search(&id) else { continue };
                self.seen[place] = true;
                if self.rights.extend_to(row.oid(2)) {
                    self.found.push(Waiting { key, id });
                }
            }
            match last.and_then(|last| last.checked_add(1)) {
                Some(next) if rows.count() == BLOCK => lowest = next,
                _ => return,
            }
        }
    }
}

/// Whose requests a role may take back. The last answer is kept: mostly the next one is about the same.
struct Rights {
    caller: pg_sys::Oid,
    all: bool,
    last: Cell<Option<(pg_sys::Oid, bool)>>,
}

impl Rights {
    fn of(caller: pg_sys::Oid, owner: pg_sys::Oid) -> Self {
        Self { caller, all: role::is_member_of(caller, owner), last: Cell::new(None) }
    }

    fn extend_to(&self, asked_by: Option<pg_sys::Oid>) -> bool {
        if self.all {
            return true;
        }
        let Some(asked_by) = asked_by else { return false };
        match self.last.get() {
            Some((last, answer)) if last == asked_by => answer,
            _ => {
                let answer = role::is_member_of(self.caller, asked_by);
                self.last.set(Some((asked_by, answer)));
                answer
            }
        }
    }
}
