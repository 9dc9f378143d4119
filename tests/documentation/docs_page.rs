//! The examples of the documentation page, a test each, in the page's own SQL but for the addresses.

mod configuration;
mod debugging;
mod examples;
mod usage;
