//! Where a caller's requests may go.

use std::cell::RefCell;

use engine::{HostPattern, Target};
use pgrx::{PgSqlErrorCode, pg_sys};

use crate::egress::Rules;
use crate::pg::SqlError;
use crate::pg::call::{Call, sql_function};
use crate::pg::plan::Session;
use crate::pg::relation::Queue;
use crate::settings;

sql_function!(check_host_pattern, pg_finfo_check_host_pattern, check_pattern);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

thread_local! {
    static RULES: RefCell<Rules> = RefCell::new(Rules::new());
}

/// Checks what the URL alone tells. The engine checks again, by the address, before it connects.
pub(super) fn check(target: &Target, caller: pg_sys::Oid) -> Result<(), SqlError> {
    RULES.with_borrow_mut(|rules| {
        if rules.are_stale() && Queue::find().is_some() {
            rules.read(&Session::connect());
        }
        let rules = rules.of(caller).map(|rules| &**rules);
        settings::egress().check(target, rules).map_err(|refusal| {
            SqlError::new(
                PgSqlErrorCode::ERRCODE_INSUFFICIENT_PRIVILEGE,
                format!("the egress policy refuses the request: {refusal}"),
            )
            .hint(
                "pg_net.egress and the table net.egress_rule say where requests may go. \
                 Link-local addresses and those of cloud metadata stay closed.",
            )
        })
    })
}

fn check_pattern(call: &Call) -> Answer {
    let Some(text) = call.text(0)? else { return Ok(None) };
    let hint = "A rule is about one host, \"example.com\", or all hosts below it, \"*.example.com\"; \
                addresses belong into the column network.";
    match HostPattern::parse(&text) {
        Ok(pattern) if !pattern.is_address() => Ok(Some(true.into())),
        Ok(_) => Err(SqlError::invalid(format!("\"{}\" is an address", text.escape_debug())).hint(hint)),
        Err(error) => Err(SqlError::invalid(error.to_string()).hint(hint)),
    }
}
