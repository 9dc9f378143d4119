//! What is kept of each worker.

pub(super) mod home;
pub(super) mod removals;
pub(super) mod slot;
pub(super) mod ticket;
