use std::fs::{self, File};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};

use rustix::process::Signal;
use serde_json::Value;

use crate::scratch::Scratch;
use crate::{Authority, PATIENCE, account, ports, process, wait_until};

/// Another process can take a port between our look and nginx's bind.
const ATTEMPTS: u32 = 5;

/// Debian's nginx with a configuration of its own: HTTP/1.1 on one port, TLS with HTTP/2 on another.
///
/// `/status/<code>` answers with that status, `/gzip` with a compressed body, `/repeat-headers` with a header that comes
/// twice, all else with 200 and `ok`.
pub struct Nginx {
    master: Child,
    port: u16,
    tls_port: u16,
    authority: Authority,
    scratch: Scratch,
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
    /// Starts one.
    pub fn start() -> Self {
        let started = (0..ATTEMPTS).find_map(|_| {
            let (port, tls_port) = (ports::free(), ports::free());
            Self::try_start(port, tls_port, &configuration(port, tls_port))
        });
        started.expect("two free ports for nginx")
    }

    /// Starts one for measuring: a process a core, as Debian has it, no log and no TLS; these locations beside `/`.
    pub fn start_quiet(locations: &str) -> Self {
        let started = (0..ATTEMPTS).find_map(|_| {
            let port = ports::free();
            Self::try_start(port, port, &quiet_configuration(port, locations))
        });
        started.expect("a free port for nginx")
    }

    /// Nothing when a port was lost to another process.
    fn try_start(port: u16, tls_port: u16, configuration: &str) -> Option<Self> {
        let scratch = Scratch::new("nginx");
        let authority = Authority::new();
        let (certificate, key) = authority.issue();
        scratch.file("certificate.pem", &certificate);
        scratch.file("key.pem", &key);
        scratch.file("authority.pem", &authority.certificate());
        scratch.directory("html");
        let text = "well compressed, ".repeat(200);
        scratch.file("html/gzip", &text);
        let config = scratch.file("nginx.conf", configuration);
        let log = File::create(scratch.path().join("error.log")).expect("create the log");

        let master = account::command("/usr/sbin/nginx")
            .args(["-e", "stderr", "-p"])
            .arg(scratch.path())
            .arg("-c")
            .arg(config)
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .process_group(0)
            .spawn()
            .expect("start nginx");
        let mut nginx = Self { master, port, tls_port, authority, scratch };
        let ready =
            wait_until("nginx to listen", PATIENCE, || match nginx.master.try_wait().expect("look after nginx") {
                Some(_) => Some(false),
                None => nginx.listens().then_some(true),
            });
        if ready {
            return Some(nginx);
        }
        let log = fs::read_to_string(nginx.scratch.path().join("error.log")).unwrap_or_default();
        assert!(log.contains("Address already in use"), "nginx did not start:\n{log}");
        None
    }

    /// Whether the server that answers is ours: it has written its pid file, and takes connections.
    fn listens(&self) -> bool {
        self.scratch.path().join("nginx.pid").exists() && TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).is_ok()
    }

    /// A URL, in plain HTTP/1.1.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    /// A URL on `localhost`, with TLS; HTTP/2 to those who offer it. It listens on 127.0.0.2 too, with the same certificate.
    pub fn tls_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.tls_port)
    }

    /// The authority that signed its certificate.
    pub fn authority(&self) -> &Authority {
        &self.authority
    }

    /// The authority's certificate as a file.
    pub fn authority_file(&self) -> PathBuf {
        self.scratch.path().join("authority.pem")
    }

    /// The requests that it answered so far, in order.
    pub fn requests(&self) -> Vec<NginxRequest> {
        let log = fs::read_to_string(self.scratch.path().join("access.log")).unwrap_or_default();
        // The last line may be half written.
        log.split_inclusive('\n').filter(|line| line.ends_with('\n')).map(parse).collect()
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

impl Drop for Nginx {
    fn drop(&mut self) {
        process::signal(self.master.id().cast_signed(), Signal::TERM);
        let _ = self.master.wait();
    }
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

fn configuration(port: u16, tls_port: u16) -> String {
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
        listen 127.0.0.1:{port} backlog=4096;
        listen 127.0.0.1:{tls_port} ssl http2;
        listen 127.0.0.2:{tls_port} ssl http2;
        ssl_certificate certificate.pem;
        ssl_certificate_key key.pem;
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
