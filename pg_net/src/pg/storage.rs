//! KnownTables below the executor.

pub(crate) mod bulk;
pub(crate) mod index_entries;
pub(crate) mod table;
