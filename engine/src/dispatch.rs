//! When each request starts, and where its outcome goes: the loop of the engine's thread.

pub(crate) mod dispatcher;
pub(crate) mod limits;
pub(crate) mod origin_health;
pub(crate) mod origin_queue;
pub(crate) mod origin_scheduler;
pub(crate) mod origin_signal;
pub(crate) mod origin_throttle;
pub(crate) mod outcome_batcher;
pub(crate) mod outcome_mailbox;
pub(crate) mod probe_limiter;
pub(crate) mod ticket;
pub(crate) mod timers;
