//! Which tables are the extension's.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;

use super::{invalidation, relation};

/// By their names in the schema `net`.
const NAMES: [&CStr; 7] = [
    c"http_request_queue",
    c"_http_response",
    c"dead_letter",
    c"egress_rule",
    c"_open_access",
    c"_home",
    c"_held_response",
];

/// A table of one of these names, and whether it is the extension's.
type Found = Option<(pg_sys::Oid, bool)>;

thread_local! {
    /// With the count of changes before they were found.
    static FOUND: Cell<Option<(u64, [Found; NAMES.len()])>> = const { Cell::new(None) };
}

/// Whether a table is one of the extension's. Within a transaction.
pub(crate) fn contain(table: pg_sys::Oid) -> bool {
    name(table).is_some()
}

/// Which of the extension's tables a table is, if it is one. Within a transaction.
pub(crate) fn name(table: pg_sys::Oid) -> Option<&'static CStr> {
    NAMES.into_iter().zip(find()).find(|(_, found)| *found == Some((table, true))).map(|(name, _)| name)
}

fn find() -> [Found; NAMES.len()] {
    let changes = invalidation::changed_places();
    let known = FOUND.get();
    if let Some((found_at, found)) = known
        && found_at == changes
    {
        return found;
    }
    let known = known.map_or([None; NAMES.len()], |(_, found)| found);
    // Missing while the SQL is that of the C version, whose tables are as open as it made them.
    let is_ours = relation::function_in_net(c"_run_trigger").is_some();
    let mut at = 0;
    let found = NAMES.map(|name| {
        let before = known[at];
        at += 1;
        if !is_ours {
            return None;
        }
        let table = relation::relation_in_net(name)?;
        Some(before.filter(|&(same, _)| same == table).unwrap_or_else(|| (table, relation::is_extensions(table))))
    });
    // A look-up may itself have heard of changes: then the next one looks again.
    FOUND.set(Some((changes, found)));
    found
}
