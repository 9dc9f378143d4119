//! What goes out, what comes back, and over which connections, beside what libcurl does.

mod bytes;
mod connections;
pub(crate) mod foreign;
mod gateways;
mod names;
mod nginx;
mod redirects;
mod tls;
