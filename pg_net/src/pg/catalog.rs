//! What the catalogs say: relations, roles, databases, rules.

pub(crate) mod column_default;
pub(crate) mod condition;
pub(crate) mod database;
pub(crate) mod expression;
pub(crate) mod invalidation;
pub(crate) mod own_tables;
pub(crate) mod relation;
pub(crate) mod role;
pub(crate) mod row_security;
pub(crate) mod scan;
pub(crate) mod schema;
