//! What Postgres calls in every session: hooks, and callbacks at the end of a transaction.

pub(crate) mod access;
pub(crate) mod commit;
pub(crate) mod removals;
pub(crate) mod transaction_cleanup;
pub(crate) mod utility;
