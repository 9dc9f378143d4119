//! Connections: those that are open and wait for a request, and those that are opened for one.

pub(crate) mod client;
pub(crate) mod connection;
pub(crate) mod connection_slots;
pub(crate) mod connector;
pub(crate) mod idle_pool;
pub(crate) mod keep_alive;
pub(crate) mod lease;
pub(crate) mod route;
pub(crate) mod route_map;
pub(crate) mod single_flight;
