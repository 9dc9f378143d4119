//! A healthy origin beside others that hang or are dead.

pub(super) mod hang;
mod same_connections;
pub(super) mod sick;
