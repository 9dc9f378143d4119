//! One connection: names and addresses, TCP, proxies, TLS, HTTP/1.1 and HTTP/2.

pub(crate) mod classify;
pub(crate) mod credentials;
pub(crate) mod files;
pub(crate) mod http1;
pub(crate) mod http2;
pub(crate) mod outgoing_request;
pub(crate) mod reply;
pub(crate) mod reply_body;
pub(crate) mod resolver;
pub(crate) mod socks;
pub(crate) mod tcp;
pub(crate) mod tls;
pub(crate) mod tunnel;
pub(crate) mod wire;
pub(crate) mod wire_tap;
