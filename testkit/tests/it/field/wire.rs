//! What goes out, what comes back, and over which connections, beside what libcurl does.

mod bytes;
mod gateways;
mod names;
