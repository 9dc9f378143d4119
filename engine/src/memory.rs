//! The memory that bodies may take.

pub(crate) mod body_meter;
pub(crate) mod budget;
