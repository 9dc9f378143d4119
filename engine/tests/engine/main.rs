//! The engine against servers that say exactly what a test wants, on loopback.

mod connections;
mod dispatch;
mod messages;
mod network;
mod servers;
mod tls;
