//! The extension's tables, by who may reach them.

use pgrx::pg_sys;

use crate::pg::catalog::own_tables;

/// What a table of the extension is, for who may reach it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::hooks::access) enum Table {
    Queue,
    Responses,
    DeadLetter,
    /// The owner's alone.
    Private,
}

/// Which of the extension's tables a relation is, if it is one. Within a transaction.
pub(in crate::hooks::access) fn table(relation: pg_sys::Oid) -> Option<Table> {
    own_tables::name(relation).map(|name| match name.to_bytes() {
        b"http_request_queue" => Table::Queue,
        b"_http_response" => Table::Responses,
        b"dead_letter" => Table::DeadLetter,
        _ => Table::Private,
    })
}
