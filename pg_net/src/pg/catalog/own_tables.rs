//! Which tables are the extension's.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;

use super::{invalidation, relation};

// Their names in the schema `net`.
pub(crate) const QUEUE: &CStr = c"http_request_queue";
pub(crate) const RESPONSES: &CStr = c"_http_response";
pub(crate) const DEAD_LETTER: &CStr = c"dead_letter";
/// Outcomes that code of users keeps from the responses.
pub(crate) const HELD_RESPONSES: &CStr = c"_held_response";
/// Where requests may go.
pub(crate) const EGRESS_RULES: &CStr = c"egress_rule";
/// The roles that the tables were opened to.
pub(crate) const OPEN_ACCESS: &CStr = c"_open_access";
/// Which database the tables were made in.
pub(crate) const IDENTITY: &CStr = c"_home";

const NAMES: [&CStr; 7] = [QUEUE, RESPONSES, DEAD_LETTER, EGRESS_RULES, OPEN_ACCESS, IDENTITY, HELD_RESPONSES];

/// An object of one of these names, and whether it is the extension's.
type Named = Option<(pg_sys::Oid, bool)>;

#[derive(Clone, Copy)]
struct Found {
    tables: [Named; NAMES.len()],
    /// The function that runs users' triggers. Missing while the SQL is that of the C version.
    runner: Named,
}

thread_local! {
    /// With the count of changes before they were found.
    static FOUND: Cell<Option<(u64, Found)>> = const { Cell::new(None) };
}

/// Whether a table is one of the extension's. Within a transaction.
pub(crate) fn contain(table: pg_sys::Oid) -> bool {
    name(table).is_some()
}

/// Which of the extension's tables a table is, if it is one. Within a transaction.
pub(crate) fn name(table: pg_sys::Oid) -> Option<&'static CStr> {
    NAMES.into_iter().zip(find().tables).find(|(_, found)| *found == Some((table, true))).map(|(name, _)| name)
}

/// All of them that there are. Within a transaction.
#[cfg(any(feature = "pg17", feature = "pg18"))]
pub(crate) fn all() -> Vec<pg_sys::Oid> {
    find().tables.into_iter().flatten().filter(|&(_, is_ours)| is_ours).map(|(table, _)| table).collect()
}

/// The function that runs users' triggers on them. Within a transaction.
pub(crate) fn runner() -> Option<pg_sys::Oid> {
    find().runner.filter(|&(_, is_ours)| is_ours).map(|(function, _)| function)
}

fn find() -> Found {
    let changes = invalidation::changed_places();
    let known = FOUND.get();
    if let Some((found_at, found)) = known
        && found_at == changes
    {
        return found;
    }
    let known = known.map_or(Found { tables: [None; NAMES.len()], runner: None }, |(_, found)| found);
    let found = look(known);
    // A look-up may itself have heard of changes: then the next one looks again.
    FOUND.set(Some((changes, found)));
    found
}

fn look(known: Found) -> Found {
    let name = |before: Named, object: Option<pg_sys::Oid>, is_ours: fn(pg_sys::Oid) -> bool| {
        let object = object?;
        Some(before.filter(|&(same, _)| same == object).unwrap_or_else(|| (object, is_ours(object))))
    };
    let runner = name(known.runner, relation::function_in_net(c"_run_trigger"), relation::is_function_of_extension);
    if runner.is_none_or(|(_, is_ours)| !is_ours) {
        return Found { tables: [None; NAMES.len()], runner };
    }
    let mut before = known.tables.into_iter();
    let tables =
        NAMES.map(|table| name(before.next().flatten(), relation::relation_in_net(table), relation::is_extensions));
    Found { tables, runner }
}
