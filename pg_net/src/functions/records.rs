//! Waiting for the worker to record outcomes.

use pgrx::pg_sys;

use crate::pg::SqlError;
use crate::pg::call::{Call, sql_function};
use crate::shared;

sql_function!(records_seen, pg_finfo_records_seen, seen);
sql_function!(wait_for_records, pg_finfo_wait_for_records, wait);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

fn seen(_: &Call) -> Answer {
    Ok(Some(shared::get().records().into()))
}

fn wait(call: &Call) -> Answer {
    let seen = call.int8(0).unwrap_or_default();
    let shared = shared::get();
    shared.recorded.wait_until(|| shared.records() > seen);
    Ok(Some(shared.records().into()))
}
