//! Which connection a request goes out on, and whether it is sent again.

mod bursts;
mod crowds;
mod http2;
mod http2_refusals;
mod idle_limits;
pub(crate) mod resent;
mod reuse;
