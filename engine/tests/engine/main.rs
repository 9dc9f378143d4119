//! The engine against servers that say exactly what a test wants, on loopback.

mod addresses;
mod bodies;
mod certificates;
mod codings;
mod crowds;
mod egress;
mod failures;
mod host;
mod http2;
mod identity;
mod lifecycle;
mod limits;
mod proxies;
mod proxy;
mod redirects;
mod refused;
mod replies;
mod requests;
mod reuse;
mod server;
mod sick_origins;
mod taking_back;
mod timeouts;
mod tls;
mod traces;
mod wire;
