//! Servers and proxies that others wrote, each a process with a directory of its own.

mod apache;
mod daemon;
mod framework;
mod go;
mod haproxy;
mod nginx;
mod socks;
mod squid;
mod standard;

pub use apache::{Apache, ApacheRequest};
pub use framework::Framework;
pub use haproxy::{HaProxy, HaProxyRequest};
pub use nginx::{Nginx, NginxRequest};
pub use socks::Socks;
pub use squid::Squid;
pub use standard::{StandardRequest, StandardServer};
