//! The HTTP servers that come with a language, as small programs of ours start them.

use std::process::Command;
use std::time::Duration;

use serde_json::Value;

use super::daemon::{Daemon, LOG};
use super::go;
use crate::scratch::Scratch;
use crate::{Authority, Identity, PATIENCE, account, wait_until};

/// Node's `http` and `http2`, or Go's `net/http`: HTTP/1.1 on one port, TLS with HTTP/2 on another.
///
/// Both answer with 200 and `ok`, `/slow/<milliseconds>` after that time. Over HTTP/2 Node takes 50 streams at once, refuses every
/// fortieth (which does not count as received), and lets a session go after a hundred; Go lets a connection go with every
/// hundredth request.
pub struct StandardServer {
    daemon: Daemon,
    port: u16,
    tls_port: u16,
    _identity: Identity,
}

/// A request that it received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardRequest {
    /// The request's method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: String,
    /// The client's port.
    pub client_port: String,
}

impl StandardServer {
    /// Node's, with a certificate of this authority. It closes a connection that was idle for so long.
    pub fn node(authority: &Authority, idle: Duration) -> Self {
        Self::start("node", authority, idle, |scratch| {
            let mut command = account::command("node");
            command.arg(scratch.file("node.js", include_str!("node.js")));
            command
        })
    }

    /// Go's. The first one in a build directory is compiled, which takes a while.
    pub fn go(authority: &Authority, idle: Duration) -> Self {
        Self::start("go", authority, idle, |scratch| {
            account::command(go::program(scratch, "server", include_str!("server.go")))
        })
    }

    fn start(name: &str, authority: &Authority, idle: Duration, program: impl Fn(&Scratch) -> Command) -> Self {
        let identity = authority.certify_this_host();
        let (daemon, [port, tls_port]) = Daemon::start(name, |scratch, [port, tls_port]| {
            let mut command = program(scratch);
            command.args([port.to_string(), tls_port.to_string()]);
            command.arg(identity.certificate()).arg(identity.key()).arg(idle.as_millis().to_string());
            command
        });
        Self { daemon, port, tls_port, _identity: identity }
    }

    /// A URL, in plain HTTP/1.1.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A URL, with TLS; HTTP/2 to those who offer it.
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls_port)
    }

    /// Its ports, without TLS and with it.
    pub fn ports(&self) -> (u16, u16) {
        (self.port, self.tls_port)
    }

    /// The requests that it received so far, in order.
    pub fn requests(&self) -> Vec<StandardRequest> {
        let lines = self.daemon.lines(LOG);
        lines.iter().filter(|line| line.starts_with('{')).map(|line| parse(line)).collect()
    }

    /// Waits until it received so many requests, and returns all that it did.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<StandardRequest> {
        wait_until(&format!("{count} requests"), PATIENCE, || {
            let requests = self.requests();
            (requests.len() >= count).then_some(requests)
        })
    }
}

fn parse(line: &str) -> StandardRequest {
    let fields: Value = serde_json::from_str(line).expect("a line of JSON");
    let text = |name: &str| fields[name].as_str().expect("a field of the log").to_owned();
    StandardRequest {
        method: text("method"),
        uri: text("uri"),
        protocol: text("protocol"),
        client_port: text("client"),
    }
}
