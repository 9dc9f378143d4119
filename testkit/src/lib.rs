//! What the tests of pg_net stand on: real Postgres servers, an HTTP server that misbehaves on request, and servers and
//! proxies that others wrote.
//!
//! Everything listens on loopback, on free ports, and lives in a directory of its own that goes when the value is dropped.

#![forbid(unsafe_code)]

mod account;
mod call;
mod certificates;
mod cluster;
mod library;
mod name_server;
mod network;
mod ports;
mod process;
mod receiver;
mod response;
mod scratch;
mod servers;
mod wait;

pub use call::Call;
pub use certificates::{Authority, Identity};
pub use cluster::{Builder, Cluster, Shutdown, program};
pub use library::Library;
pub use name_server::{Answer, NameQuestion, NameServer};
pub use network::{Hosts, Network};
pub use ports::{FullPort, RefusedPort};
pub use process::{is_running, kill, switches, terminate, voluntary_switches, wait_until_at_rest};
pub use receiver::{Gate, Observer, Receiver, Request};
pub use response::{Response, response, responses};
pub use servers::{
    Apache, ApacheRequest, Framework, HaProxy, HaProxyRequest, Nginx, NginxRequest, Socks, Squid, StandardRequest,
    StandardServer,
};
pub use wait::{PATIENCE, wait_until};
