//! What users of the C version really run, found in public code, threads and platforms' scripts. The tests bear the numbers
//! of that collection; each stands for its whole kind.

mod outcomes;
mod promises;
mod rights;
mod sick;
mod taking_back;
mod triggers;
mod updates;
mod wire;
