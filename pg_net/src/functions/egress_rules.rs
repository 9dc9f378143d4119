//! The table of rules on where requests may go: what its checks and its trigger call.

use engine::HostPattern;
use pgrx::pg_sys;

use crate::pg::SqlError;
use crate::pg::fcall::call::{Call, sql_function};

sql_function!(check_host_pattern, pg_finfo_check_host_pattern, check_pattern);

type Answer = Result<Option<pg_sys::Datum>, SqlError>;

fn check_pattern(call: &Call) -> Answer {
    let Some(text) = call.text(0)? else { return Ok(None) };
    let hint = "A rule is about one host, \"example.com\", or all hosts below it, \"*.example.com\"; \
                put addresses in the column network.";
    match HostPattern::parse(&text) {
        Ok(pattern) if !pattern.is_address() => Ok(Some(true.into())),
        Ok(_) => Err(SqlError::invalid(format!("\"{}\" is an address", text.escape_debug())).hint(hint)),
        Err(error) => Err(SqlError::invalid(error.to_string()).hint(hint)),
    }
}
