//! What the host configures.

pub(crate) mod policy;
pub(crate) mod policy_files;
pub(crate) mod proxy;
pub(crate) mod proxy_login;
