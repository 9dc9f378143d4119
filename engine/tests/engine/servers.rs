//! What the tests are made of: a host that drives the engine, and servers that say exactly what a test wants.

pub(crate) mod certificates;
pub(crate) mod far;
pub(crate) mod frames;
pub(crate) mod host;
pub(crate) mod listener;
pub(crate) mod proxy;
pub(crate) mod refused;
pub(crate) mod server;
