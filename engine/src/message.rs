//! Requests as the host gives them, and outcomes as it gets them.

pub(crate) mod failure;
pub mod form;
pub(crate) mod header;
pub(crate) mod key;
pub mod method;
pub(crate) mod multipart;
pub(crate) mod outcome;
pub(crate) mod request;
