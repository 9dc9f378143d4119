//! The extension's tables in this database.

use std::cell::Cell;
use std::ffi::CStr;

use pgrx::pg_sys;

use crate::pg::{invalidation, relation};

/// What a table of the extension is, for who may reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    Queue,
    Responses,
    DeadLetter,
    /// The owner's alone.
    Private,
}

const TABLES: [(&CStr, Table); 6] = [
    (c"http_request_queue", Table::Queue),
    (c"_http_response", Table::Responses),
    (c"dead_letter", Table::DeadLetter),
    (c"egress_rule", Table::Private),
    (c"_open_access", Table::Private),
    (c"_home", Table::Private),
];

type Known = [Option<pg_sys::Oid>; TABLES.len()];

thread_local! {
    /// With the count of changes before they were looked up.
    static KNOWN: Cell<Option<(u64, Known)>> = const { Cell::new(None) };
}

/// Which of the extension's tables a relation is, if it is one. Within a transaction.
pub(super) fn table(relation: pg_sys::Oid) -> Option<Table> {
    let known = known();
    TABLES.iter().zip(known).find(|(_, oid)| *oid == Some(relation)).map(|(&(_, table), _)| table)
}

fn known() -> Known {
    let changes = invalidation::changed_places();
    if let Some((found_at, known)) = KNOWN.get()
        && found_at == changes
    {
        return known;
    }
    let known = TABLES.map(|(name, _)| relation::relation_in_net(name).filter(|&oid| relation::is_extensions(oid)));
    // The tables of the C version are as open as it made them, until they are updated.
    let is_updated = TABLES.iter().zip(known).all(|(_, oid)| oid.is_some());
    let known = if is_updated { known } else { Known::default() };
    KNOWN.set(Some((changes, known)));
    known
}
