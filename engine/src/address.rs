//! URLs, hosts and addresses.

use std::net::SocketAddr;
use std::sync::Arc;

pub(crate) mod embedded_ipv4;
pub(crate) mod host_pattern;
pub(crate) mod localhost;
pub(crate) mod network;
pub(crate) mod no_proxy;
pub(crate) mod origin;
pub mod query;
pub(crate) mod special_purpose;
pub(crate) mod target;
pub(crate) mod url_text;

/// The addresses of a host. The port is 0 where the resolver gave them.
pub(crate) type Addresses = Arc<[SocketAddr]>;
