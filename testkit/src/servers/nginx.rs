use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use super::daemon::{Daemon, LOG};
use crate::{Authority, Identity, PATIENCE, account, wait_until};

/// Debian's nginx with a configuration of its own: HTTP/1.1 on one port, TLS with HTTP/2 on another.
///
/// `/status/<code>` answers with that status, `/gzip` with a compressed body, `/repeat-headers` with a header that comes
/// twice, all else with 200 and `ok`.
pub struct Nginx {
    daemon: Daemon,
    port: u16,
    tls_port: u16,
    authority: Option<Authority>,
}

/// A line of its access log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "nginx's variables, by their names")]
pub struct NginxRequest {
    pub method: String,
    pub uri: String,
    pub status: String,
    pub server_protocol: String,
    pub user_agent: String,
    pub body: String,
    pub connection: String,
}

impl Nginx {
    /// Starts one with a certificate of an authority of its own.
    pub fn start() -> Self {
        let authority = Authority::new();
        let identity = authority.certify_this_host();
        let (daemon, [port, tls_port]) = Daemon::start("nginx", |scratch, [port, tls_port]| {
            scratch.directory("html");
            scratch.file("html/gzip", &"well compressed, ".repeat(200));
            let listen = format!(
                "listen 127.0.0.1:{port} backlog=4096;
                 listen 127.0.0.1:{tls_port} ssl http2;
                 listen 127.0.0.2:{tls_port} ssl http2;
                 listen [::1]:{port};
                 listen [::1]:{tls_port} ssl http2;
                 {}",
                certificate(&identity)
            );
            command(scratch.path(), scratch.file("nginx.conf", &configuration(&listen, "")))
        });
        Self { daemon, port, tls_port, authority: Some(authority) }
    }

    /// Starts one that shows this certificate, with further directives for its one `server`.
    pub fn start_showing(identity: &Identity, directives: &str) -> Self {
        Self::start_speaking("http2", identity, directives)
    }

    /// The same, but one that speaks nothing but HTTP/1.1.
    pub fn start_http1(identity: &Identity, directives: &str) -> Self {
        Self::start_speaking("", identity, directives)
    }

    fn start_speaking(protocol: &str, identity: &Identity, directives: &str) -> Self {
        let (daemon, [port, tls_port]) = Daemon::start("nginx", |scratch, [port, tls_port]| {
            let listen = format!(
                "listen 127.0.0.1:{port} backlog=4096; listen 127.0.0.1:{tls_port} ssl {protocol} backlog=4096; {}",
                certificate(identity)
            );
            command(scratch.path(), scratch.file("nginx.conf", &configuration(&listen, directives)))
        });
        Self { daemon, port, tls_port, authority: None }
    }

    /// Starts one for measuring: a process a core, as Debian has it, no log and no TLS; these locations beside `/`.
    pub fn start_quiet(locations: &str) -> Self {
        let (daemon, [port]) = Daemon::start("nginx", |scratch, [port]| {
            command(scratch.path(), scratch.file("nginx.conf", &quiet_configuration(port, locations)))
        });
        Self { daemon, port, tls_port: port, authority: None }
    }

    /// The same with TLS on a second port, where it shows this certificate and speaks HTTP/2 as well, or HTTP/1.1 alone.
    pub fn start_quiet_showing(identity: &Identity, http2: bool) -> Self {
        let protocol = if http2 { "http2" } else { "" };
        let (daemon, [port, tls_port]) = Daemon::start("nginx", |scratch, [port, tls_port]| {
            let listen = format!(
                "listen 127.0.0.1:{tls_port} ssl {protocol} backlog=4096; {} ssl_session_cache shared:sessions:16m;",
                certificate(identity)
            );
            command(scratch.path(), scratch.file("nginx.conf", &quiet_configuration(port, &listen)))
        });
        Self { daemon, port, tls_port, authority: None }
    }

    /// Its ports, without TLS and with it.
    pub fn ports(&self) -> (u16, u16) {
        (self.port, self.tls_port)
    }

    /// A URL, in plain HTTP/1.1.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A URL on `localhost`, with TLS; HTTP/2 to those who offer it.
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls_port)
    }

    /// The certificate of its own authority.
    pub fn authority_file(&self) -> PathBuf {
        self.authority.as_ref().expect("an nginx with an authority of its own").file()
    }

    /// The requests that it answered so far, in order.
    pub fn requests(&self) -> Vec<NginxRequest> {
        self.daemon.lines("access.log").iter().map(|line| parse(line)).collect()
    }

    /// Waits until it answered so many requests, and returns all that it did.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<NginxRequest> {
        wait_until(&format!("{count} requests at nginx"), PATIENCE, || {
            let requests = self.requests();
            (requests.len() >= count).then_some(requests)
        })
    }
}

fn command(directory: &Path, configuration: PathBuf) -> Command {
    let mut command = account::command("/usr/sbin/nginx");
    command.args(["-e", LOG, "-p"]).arg(directory).arg("-c").arg(configuration);
    command
}

fn certificate(identity: &Identity) -> String {
    let (certificate, key) = (identity.certificate(), identity.key());
    format!("ssl_certificate {}; ssl_certificate_key {};", certificate.display(), key.display())
}

fn parse(line: &str) -> NginxRequest {
    let fields: Value = serde_json::from_str(line).expect("a line of JSON");
    let text = |name: &str| fields[name].as_str().expect("a field of the log").to_owned();
    NginxRequest {
        method: text("request_method"),
        uri: text("request_uri"),
        status: text("status"),
        server_protocol: text("server_protocol"),
        user_agent: text("http_user_agent"),
        body: text("request_body"),
        connection: text("connection"),
    }
}

fn configuration(listen: &str, directives: &str) -> String {
    let fields = ["request_method", "request_uri", "status", "server_protocol", "http_user_agent", "request_body"];
    let fields = fields.iter().chain(&["connection"]).map(|name| format!("\"{name}\":\"${name}\""));
    let format = fields.collect::<Vec<_>>().join(",");
    format!(
        "daemon off;
pid nginx.pid;
worker_processes 1;
events {{ worker_connections 4096; }}
http {{
    log_format record escape=json '{{{format}}}';
    access_log access.log record;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000;
    default_type text/plain;
    server {{
        {listen}
        {directives}
        root html;
        location / {{ return 200 'ok'; }}
        location ~ ^/status/201$ {{ return 201 'created'; }}
        location ~ ^/status/404$ {{ return 404 'not here'; }}
        location ~ ^/status/500$ {{ return 500 'broken'; }}
        location = /repeat-headers {{ add_header X-Twice one; add_header X-Twice two; return 200 'ok'; }}
        location = /gzip {{ gzip on; gzip_types text/plain; }}
    }}
}}
"
    )
}

fn quiet_configuration(port: u16, locations: &str) -> String {
    format!(
        "daemon off;
pid nginx.pid;
worker_processes auto;
events {{ worker_connections 4096; }}
http {{
    access_log off;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    keepalive_requests 1000000;
    default_type text/plain;
    server {{
        listen 127.0.0.1:{port} backlog=4096;
        location / {{ return 200 'ok'; }}
        {locations}
    }}
}}
"
    )
}
