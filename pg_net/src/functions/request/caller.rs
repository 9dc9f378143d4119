//! Who called, also where an administrator has made a request function SECURITY DEFINER.
//!
//! Such a function runs as its owner, and Postgres keeps nowhere who called it. So the call itself has to tell. A planner
//! support function (manual, "Function Optimization Information") turns its last argument `x` into
//!
//! ```sql
//! greatest(x, case when current_setting('pg_net.caller') is null then null end)
//! ```
//!
//! which is `x`, and reads the setting in the caller's place, as the last thing before the call. Reading it notes who reads.
//! A function of ours could note that too, but calling it would take one more EXECUTE, which an administrator who grants the
//! request functions one by one does not know of.

use std::cell::Cell;
use std::ffi::{CStr, CString};

use pgrx::{GucSetting, pg_sys};

use crate::pg::SqlError;
use crate::pg::catalog::expression::Rewrite;
use crate::pg::catalog::role;
use crate::pg::fcall::call::{Call, sql_function};
use crate::pg::process::guc::{define_question, show_hook};

sql_function!(keep_caller, pg_finfo_keep_caller, keep);

const SETTING: &CStr = c"pg_net.caller";

thread_local! {
    static NOTED: Cell<Option<pg_sys::Oid>> = const { Cell::new(None) };
}

/// The role that this request function was called by.
///
/// A note counts for a SECURITY DEFINER function only: its calls never go without one, and so a note that a role left by reading
/// the setting is never taken for another's.
pub(in crate::functions) fn of(call: &Call) -> pg_sys::Oid {
    match NOTED.take() {
        Some(noted) if role::is_definers(call.function()) => noted,
        _ => role::current(),
    }
}

/// The planner support function.
fn keep(call: &Call) -> Result<Option<pg_sys::Datum>, SqlError> {
    let rewrite = Rewrite::asked_for(call);
    let rewritten =
        rewrite.filter(|rewrite| role::is_definers(rewrite.function())).and_then(|rewrite| rewrite.read_last(SETTING));
    Ok(Some(rewritten.unwrap_or(pg_sys::Datum::null())))
}

/// Makes the setting known. Called once, while the library is preloaded.
pub(crate) fn define() {
    static NOTHING: GucSetting<Option<CString>> = GucSetting::<Option<CString>>::new(Some(c""));
    define_question(SETTING, c"Read by pg_net's own functions, to know who calls them.", &NOTHING, show_hook!(note));
}

fn note() -> &'static CStr {
    NOTED.set(Some(role::current()));
    c""
}
