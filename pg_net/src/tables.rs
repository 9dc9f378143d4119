//! The extension's tables that are the user's to fill.

pub(crate) mod dump;
pub(crate) mod egress_rules;
