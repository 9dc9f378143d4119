//! What goes out, what comes back, and over which connections, beside what libcurl does.

mod bytes;
mod connections;
mod gateways;
mod names;
mod tls;
