//! Functions that SQL calls.

pub(crate) mod call;
pub(crate) mod row_trigger;
