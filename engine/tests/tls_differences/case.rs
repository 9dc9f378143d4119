use std::path::PathBuf;

use crate::certificate::{Identity, file};
use crate::server::{self, Server};

/// A server, who is to trust it, and what is to come of it.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    server: At,
    pub(crate) host: &'static str,
    /// What is trusted besides the system's roots.
    pub(crate) trusted: PathBuf,
    /// Certificate and key, for a server that asks.
    pub(crate) shown: Option<(PathBuf, PathBuf)>,
    /// `200`, or the name of the kind of failure.
    pub(crate) ours: &'static str,
    /// Words of the failure's detail.
    pub(crate) detail: &'static str,
    /// Why curl ends in another way; empty where it does not.
    pub(crate) unlike_curl: &'static str,
}

enum At {
    Openssl(Server),
    Other(u16),
}

impl Case {
    /// `openssl s_server` with this certificate, and those that lead to an authority; it is trusted by nobody yet.
    pub(crate) fn new(name: &'static str, chain: &[&Identity], arguments: &[&str]) -> Self {
        Self::at(name, At::Openssl(Server::start(chain, arguments)))
    }

    /// Something that speaks no TLS.
    pub(crate) fn saying(name: &'static str, what: &'static [u8]) -> Self {
        Self::at(name, At::Other(server::saying(what)))
    }

    fn at(name: &'static str, server: At) -> Self {
        Self {
            name,
            server,
            host: "localhost",
            trusted: file(""),
            shown: None,
            ours: "200",
            detail: "",
            unlike_curl: "",
        }
    }

    pub(crate) fn trusting(self, identity: &Identity) -> Self {
        self.trusting_file(identity.pem())
    }

    pub(crate) fn trusting_file(self, content: impl AsRef<[u8]>) -> Self {
        Self { trusted: file(content), ..self }
    }

    pub(crate) fn named(self, host: &'static str) -> Self {
        Self { host, ..self }
    }

    pub(crate) fn showing(self, identity: &Identity) -> Self {
        self.showing_files(&identity.pem(), &identity.key_pem())
    }

    pub(crate) fn showing_files(self, certificate: &str, key: &str) -> Self {
        Self { shown: Some((file(certificate), file(key))), ..self }
    }

    /// It fails with this kind, for a reason with these words in it.
    pub(crate) fn fails(self, ours: &'static str, detail: &'static str) -> Self {
        Self { ours, detail, ..self }
    }

    pub(crate) fn unlike_curl(self, why: &'static str) -> Self {
        Self { unlike_curl: why, ..self }
    }

    pub(crate) fn port(&self) -> u16 {
        match &self.server {
            At::Openssl(server) => server.port,
            At::Other(port) => *port,
        }
    }
}
