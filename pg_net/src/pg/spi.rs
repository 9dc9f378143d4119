//! Statements: plans that are kept, transactions, on whose behalf a statement runs.

pub(crate) mod fresh_read;
pub(crate) mod internal;
pub(crate) mod leftovers;
pub(crate) mod on_table;
pub(crate) mod plan;
pub(crate) mod search_path;
pub(crate) mod snapshot;
pub(crate) mod subtransaction;
pub(crate) mod time_limit;
pub(crate) mod transaction;
