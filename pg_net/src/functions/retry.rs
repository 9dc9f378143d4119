//! Sending a request that used up its attempts once more.

use pgrx::pg_sys;

use crate::pg::SqlError;
use crate::pg::call::{Call, sql_function};
use crate::pg::internal::Internal;
use crate::pg::plan::{Access, Plan, Session};
use crate::pg::role::ActAs;
use crate::wake;

sql_function!(retry, pg_finfo_retry, retry_request);

thread_local! {
    /// The newest of that id which the role may see goes back to the queue, and the response of its last attempt with it:
    /// the request is one without an outcome again. Operators are named in full: it runs as the owner, and the caller's
    /// search path is in force.
    static REQUEUE: Plan = const {
        Plan::new(
            c"with dead as ( \
                  delete from net.dead_letter where ctid operator(pg_catalog.=) ( \
                      select ctid from net.dead_letter \
                      where id operator(pg_catalog.=) $1 and pg_catalog.pg_has_role($2, requested_by, 'usage') \
                      order by created desc limit 1 for update) \
                  returning * \
              ), answered as ( \
                  delete from net._http_response r using dead \
                  where r.id operator(pg_catalog.=) dead.id \
                  and r.requested_by operator(pg_catalog.=) dead.requested_by \
                  and r.attempts operator(pg_catalog.=) dead.attempts \
              ) \
              insert into net.http_request_queue \
                  (id, method, url, headers, body, timeout_milliseconds, requested_by, max_attempts, idempotency_key) \
              select id, method, url, headers, body, timeout_milliseconds, requested_by, max_attempts, idempotency_key \
              from dead",
        )
    };
}

fn retry_request(call: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    let Some(id) = call.datum(0) else { return Ok(Some(false.into())) };
    let owner = super::enqueue::owner()?;
    let caller = super::caller::of(call);
    let _owner = ActAs::new(owner, 0);
    let _internal = Internal::new();
    let session = Session::connect();
    let sent = REQUEUE.with(|plan| {
        let types = [pg_sys::INT8OID, pg_sys::OIDOID];
        session.run(plan, Access::Write, types, [Some(id), Some(caller.into())]).count()
    });
    if sent > 0 {
        wake::wake_at_commit();
    }
    Ok(Some((sent > 0).into()))
}
