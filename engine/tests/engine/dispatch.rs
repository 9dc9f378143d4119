//! When requests start, and how the host and the engine's thread talk.

mod lifecycle;
pub(crate) mod limits;
mod sick_origins;
mod taking_back;
