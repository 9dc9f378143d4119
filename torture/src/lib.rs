//! Tortures pg_net: writers commit and roll back, faults come at random moments, and each request is accounted for.
//!
//! What was committed is known from markers that the writers leave in the same transaction; what was received, from a file
//! that the receiver writes before it answers. A [`Report`] holds one against the other.

#![forbid(unsafe_code)]

mod backlog;
mod clock;
mod faults;
mod gate;
mod harness;
mod ledger;
mod outcomes;
mod receipts;
mod receiver;
mod report;
mod request_kind;
mod rng;
mod scenario;
mod writer;

pub use backlog::{Backlog, run as run_backlog};
pub use faults::Fault;
pub use receiver::receive;
pub use report::Report;
pub use scenario::{Extent, Mutant, Place, run};
