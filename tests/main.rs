//! The integration tests: one binary, a folder a subject.
//!
//! Each boots a Postgres of its own with the built extension, and looks at both ends of a request: what the receiver got,
//! and the row in `net._http_response`.
//!
//! A test whose name begins with `case_` and a number stands for what users of the C version really run, found in public code,
//! threads and platforms' scripts: each for its whole kind.

mod access;
mod calls;
mod databases;
mod delivery;
mod documentation;
mod egress;
mod fixture;
mod responses;
mod tables;
mod update;
mod wire;
mod worker;
