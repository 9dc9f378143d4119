//! What the tests of pg_net stand on: real Postgres servers, an HTTP server that misbehaves on request, and servers and
//! proxies that others wrote.
//!
//! Everything listens on loopback, on free ports, and lives in a directory of its own that goes when the value is dropped.

#![forbid(unsafe_code)]

mod account;
mod apache;
mod certificates;
mod cluster;
mod daemon;
mod framework;
mod go;
mod haproxy;
mod library;
mod name_server;
mod network;
mod nginx;
mod ports;
mod process;
mod receiver;
mod response;
mod scratch;
mod socks;
mod squid;
mod standard;
mod wait;

pub use apache::{Apache, ApacheRequest};
pub use certificates::{Authority, Identity};
pub use cluster::{Builder, Cluster, Shutdown, program};
pub use framework::Framework;
pub use haproxy::{HaProxy, HaProxyRequest};
pub use library::Library;
pub use name_server::{Answer, NameQuestion, NameServer};
pub use network::{Hosts, Network};
pub use nginx::{Nginx, NginxRequest};
pub use ports::{FullPort, RefusedPort};
pub use process::{is_running, kill, switches, terminate, voluntary_switches, wait_until_at_rest};
pub use receiver::{Gate, Observer, Receiver, Request};
pub use response::{Response, response, responses};
pub use socks::Socks;
pub use squid::Squid;
pub use standard::{StandardRequest, StandardServer};
pub use wait::{PATIENCE, wait_until};
