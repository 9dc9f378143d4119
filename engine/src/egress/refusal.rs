use std::fmt;
use std::net::IpAddr;

use crate::address::special_purpose::Block;

/// Why a request may not go somewhere. Its text holds at most the address of the host, never the URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal(pub(crate) Reason);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Link-local, or the metadata of a cloud.
    Closed(Location),
    /// A name under which clouds publish their metadata.
    ClosedName,
    NotPublic(Location),
    OwnPort(u16),
    Denied {
        rule: i64,
    },
    NotAllowed,
}

/// An address, or one that it leads to, and the block that this is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Location {
    pub(crate) address: IpAddr,
    pub(crate) form: IpAddr,
    pub(crate) block: &'static Block,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Reason::Closed(location) => location.fmt(f),
            Reason::ClosedName => f.write_str("the name stands for a cloud's metadata"),
            Reason::NotPublic(location) => write!(f, "{location}, and not public"),
            Reason::OwnPort(port) => write!(f, "port {port} of this machine is the server's own"),
            Reason::Denied { rule } => write!(f, "egress rule {rule} denies it"),
            Reason::NotAllowed => f.write_str("no egress rule of the role allows it"),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { address, form, block } = self;
        if address == form {
            write!(f, "{address} is in {block}")
        } else {
            write!(f, "{address} leads to {form}, which is in {block}")
        }
    }
}

impl std::error::Error for Refusal {}
