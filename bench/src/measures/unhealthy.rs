//! A healthy origin beside others that hang, are dead, or have names that nothing answers for.

pub(super) mod hang;
pub(crate) mod names;
mod same_connections;
pub(super) mod sick;
