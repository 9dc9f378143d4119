//! Addresses, proxies, and the ways in which a request fails.

mod addresses;
mod egress;
mod failures;
mod proxies;
mod timeouts;
