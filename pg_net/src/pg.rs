//! Safe faces for the parts of Postgres' C interface that the extension uses.

pub(crate) mod allocator;
pub(crate) mod array;
pub(crate) mod bulk;
pub(crate) mod call;
pub(crate) mod cancel;
pub(crate) mod clock;
pub(crate) mod composite;
pub(crate) mod condition;
pub(crate) mod database;
pub(crate) mod default;
pub(crate) mod dynamic;
mod error;
pub(crate) mod expression;
pub(crate) mod guc;
mod index_entries;
pub(crate) mod internal;
pub(crate) mod invalidation;
pub(crate) mod jsonb;
pub(crate) mod latch;
pub(crate) mod list;
pub(crate) mod look;
pub(crate) mod panics;
pub(crate) mod plan;
pub(crate) mod random;
pub(crate) mod relation;
pub(crate) mod role;
pub(crate) mod row_security;
pub(crate) mod scan;
pub(crate) mod server;
pub(crate) mod snapshot;
pub(crate) mod table;
pub(crate) mod text;
pub(crate) mod transaction;
pub(crate) mod wait;

pub(crate) use error::SqlError;
