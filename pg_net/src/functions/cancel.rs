//! Taking requests back that wait to be sent.

use engine::Key;
use pgrx::pg_sys;

use super::{caller, enqueue, whereabouts};
use crate::pg::SqlError;
use crate::pg::call::{Call, sql_function};
use crate::pg::look::look;
use crate::pg::plan::{Access, Plan, Rows, Session};
use crate::pg::role::ActAs;
use crate::shared::cancels;
use crate::shared::questions::{self, Question};

sql_function!(cancel, pg_finfo_cancel, cancel_request);

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
    static DELETE: Plan = const {
        Plan::new(c"delete from net.http_request_queue q where q.row_key operator(pg_catalog.=) $1")
    };
}

/// True if at least one request with this id was taken back: it is not sent if the transaction commits, and is if it rolls
/// back. The row is deleted only after the worker has said that the request is not under way, and from then on it is left
/// alone: first because it was granted, then because its deletion has not ended.
fn cancel_request(call: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    let Some(id) = call.int8(0) else { return Ok(Some(false.into())) };
    let owner = enqueue::owner()?;
    let caller = caller::of(call);
    let keys = look(|session| {
        let _owner = ActAs::new(owner, 0);
        find(session, id, caller, owner)
    });
    let mut taken = false;
    for key in keys {
        cancels::begin();
        let answer = questions::ask(Question::MayTakeBack(key));
        if answer.yes.is_some() {
            taken |= delete(owner, key);
        }
    }
    if taken {
        cancels::note(id);
    }
    Ok(Some(taken.into()))
}

/// The row keys of the requests with this id that a role may take back. Of an id that comes twice, far apart, perhaps not all.
fn find(session: &Session, id: i64, caller: pg_sys::Oid, owner: pg_sys::Oid) -> Vec<Key> {
    let keys = |rows: Rows| (0..rows.count()).filter_map(|row| rows.row::<1>(row).int8(0)).collect::<Vec<Key>>();
    let types @ [t1, t2, t3] = [pg_sys::INT8OID, pg_sys::OIDOID, pg_sys::OIDOID];
    let arguments @ [a1, a2, a3] = [Some(id.into()), Some(caller.into()), Some(owner.into())];
    if let Some((lowest, highest)) = whereabouts::likely_keys(&[id]) {
        let types = [t1, t2, t3, pg_sys::INT8OID, pg_sys::INT8OID];
        let arguments = [a1, a2, a3, Some(lowest.into()), Some(highest.into())];
        let near = NEAR.with(|near| keys(session.run(near, Access::Read, types, arguments)));
        if !near.is_empty() {
            return near;
        }
    }
    let found = FIND.with(|find| keys(session.run(find, Access::Read, types, arguments)));
    if let Some(&key) = found.first() {
        whereabouts::note(id, key);
    }
    found
}

/// False if the row is gone: another session took it back, and has committed.
fn delete(owner: pg_sys::Oid, key: i64) -> bool {
    let _owner = ActAs::new(owner, 0);
    let session = Session::connect();
    DELETE.with(|delete| session.run(delete, Access::WriteLatest, [pg_sys::INT8OID], [Some(key.into())]).count() > 0)
}
