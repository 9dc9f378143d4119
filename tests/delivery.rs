//! Whether a request is sent, when, how often, and in which order.

mod at_most_once;
mod cancelling;
mod crash;
mod fairness;
mod gathering;
mod promises;
mod retries;
mod shutdown;
mod sick_origins;
mod slow_and_dead_origins;
mod taking_back;
mod transactions;
mod volume;
