//! Parts that a process of this program measures in a network of its own, where names are asked of a name server of ours.

pub(crate) mod hosts;
mod inside;
pub(crate) mod names;
