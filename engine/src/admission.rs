//! Which of the requests that wait in the host's queue may be claimed.

pub(crate) mod claim_window;
