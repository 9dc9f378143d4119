//! Processes: their signals, latches, settings, and pauses.

pub(crate) mod allocator;

pub(crate) mod bgworker;
pub(crate) mod cancel;
pub(crate) mod check_hook;
pub(crate) mod condition_variable;
pub(crate) mod dynamic;
pub(crate) mod guc;
pub(crate) mod latch;
pub(crate) mod obstacle;
pub(crate) mod revival;
pub(crate) mod server;
pub(crate) mod signal;
pub(crate) mod wait;
pub(crate) mod wait_event;
