use std::time::Duration;

use serde_json::Value;

use super::daemon::Daemon;
use crate::{Authority, PATIENCE, account, wait_until};

/// Debian's HAProxy in front of another server: HTTP/1.1 on one port, TLS with HTTP/2 on another.
///
/// It answers `/hints…` with `103 Early Hints` first, compresses text with deflate, and closes connections that were idle
/// for a hundredth of a second, or another time.
pub struct HaProxy {
    daemon: Daemon,
    port: u16,
    tls_port: u16,
}

/// A line of its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HaProxyRequest {
    /// The request's method.
    pub method: String,
    /// The path, or the whole URL where the client sent that.
    pub uri: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: String,
    /// The client's port.
    pub client_port: String,
}

impl HaProxy {
    /// Starts one with a certificate of this authority, in front of a server on this port of 127.0.0.1.
    pub fn start(authority: &Authority, server: u16) -> Self {
        Self::start_keeping(authority, server, Duration::from_millis(10))
    }

    /// Starts one that keeps idle connections for so long.
    pub fn start_keeping(authority: &Authority, server: u16, idle: Duration) -> Self {
        let identity = authority.certify_this_host();
        let (daemon, [port, tls_port]) = Daemon::start("haproxy", |scratch, [port, tls_port]| {
            let certificate = identity.both();
            let configuration = format!(
                "global
    log stdout format raw local0
defaults
    mode http
    log global
    log-format '{FORMAT}'
    timeout connect 5s
    timeout client 30s
    timeout server 30s
    timeout http-keep-alive {}ms
frontend clients
    bind 127.0.0.1:{port}
    bind 127.0.0.1:{tls_port} ssl crt {} alpn h2,http/1.1
    http-request early-hint Link </style.css> if {{ path_beg /hints }}
    http-request set-header X-Client-Port %[src_port]
    compression algo deflate
    compression type text/plain
    default_backend servers
backend servers
    server first 127.0.0.1:{server}
",
                idle.as_millis(),
                certificate.display()
            );
            let mut command = account::command("/usr/sbin/haproxy");
            command.arg("-db").arg("-f").arg(scratch.file("haproxy.cfg", &configuration));
            command
        });
        Self { daemon, port, tls_port }
    }

    /// Its ports, without TLS and with it.
    pub fn ports(&self) -> (u16, u16) {
        (self.port, self.tls_port)
    }

    /// A URL, in plain HTTP/1.1.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A URL, with TLS; HTTP/2 to those who offer it.
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls_port)
    }

    /// Waits until it answered so many requests, and returns all that it did.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<HaProxyRequest> {
        wait_until(&format!("{count} requests at HAProxy"), PATIENCE, || {
            let lines = self.daemon.lines(super::daemon::LOG);
            let requests =
                lines.iter().filter(|line| line.starts_with('{')).map(|line| parse(line)).collect::<Vec<_>>();
            (requests.len() >= count).then_some(requests)
        })
    }
}

const FORMAT: &str = r#"{"method":"%HM","uri":"%HU","protocol":"%HV","client_port":"%cp"}"#;

fn parse(line: &str) -> HaProxyRequest {
    let fields: Value = serde_json::from_str(line).expect("a line of JSON");
    let text = |name: &str| fields[name].as_str().expect("a field of the log").to_owned();
    HaProxyRequest {
        method: text("method"),
        uri: text("uri"),
        protocol: text("protocol"),
        client_port: text("client_port"),
    }
}
