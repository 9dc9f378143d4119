use std::fmt::Write;
use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::daemon::{Daemon, LOG};
use crate::{Authority, Identity, PATIENCE, account, wait_until};

const MODULES: &str = "/usr/lib/apache2/modules";

/// Debian's Apache httpd: HTTP/1.1 on one port, TLS with HTTP/2 on another, and TLS for those who show a certificate on a
/// third.
///
/// Files put into it are served from `/`, those ending in `.gz`, `.br` and `.zst` as compressed ones. `/dav/` takes files
/// (WebDAV), `/gzip/` and `/br/` compress text, `/cookies/` sets two cookies.
pub struct Apache {
    daemon: Daemon,
    port: u16,
    tls_port: u16,
    known_port: u16,
    // It reads its configuration twice, the second time when it listens already.
    _identity: Identity,
}

/// A line of its access log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApacheRequest {
    /// The request's method.
    pub method: String,
    /// Path and query.
    pub uri: String,
    /// The status that it was answered with.
    pub status: String,
    /// `HTTP/1.1` or `HTTP/2.0`.
    pub protocol: String,
    /// The client's port.
    pub client_port: String,
    /// The common name in the client's certificate; `-` without one.
    pub client_name: String,
    /// The request's `Expect`; `-` without one.
    pub expect: String,
}

impl Apache {
    /// Starts one with a certificate of this authority, whose clients it knows.
    pub fn start(authority: &Authority) -> Self {
        Self::start_with(authority, "")
    }

    /// Starts one with further directives.
    pub fn start_with(authority: &Authority, directives: &str) -> Self {
        let identity = authority.certify_this_host();
        let (daemon, [port, tls_port, known_port]) = Daemon::start("apache", |scratch, ports| {
            for directory in ["html", "html/dav", "html/gzip", "html/br", "html/cookies"] {
                scratch.directory(directory);
            }
            let [port, tls_port, known_port] = ports;
            let authority = authority.file();
            let configuration = format!(
                "{}
                ServerRoot {}
                PidFile apache.pid
                ErrorLog {LOG}
                Listen 127.0.0.1:{port}
                Listen 127.0.0.1:{tls_port}
                Listen 127.0.0.1:{known_port}
                SSLCertificateFile {}
                SSLCertificateKeyFile {}
                {CONFIGURATION}
                {directives}
                <VirtualHost *:{tls_port}>
                    SSLEngine on
                </VirtualHost>
                <VirtualHost *:{known_port}>
                    SSLEngine on
                    SSLCACertificateFile {}
                    SSLVerifyClient require
                </VirtualHost>",
                load_modules(),
                scratch.path().display(),
                identity.certificate().display(),
                identity.key().display(),
                authority.display(),
            );
            let mut command = account::command("/usr/sbin/apache2");
            command.arg("-DFOREGROUND").arg("-f").arg(scratch.file("apache.conf", &configuration));
            command
        });
        Self { daemon, port, tls_port, known_port, _identity: identity }
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

    /// A URL for those who show a certificate.
    pub fn known_url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.known_port)
    }

    /// A file that it serves, or will.
    pub fn path(&self, path: &str) -> PathBuf {
        self.daemon.path().join("html").join(path.trim_start_matches('/'))
    }

    /// Puts a file into it.
    pub fn put(&self, path: &str, content: &[u8]) {
        fs::write(self.path(path), content).expect("write a file");
    }

    /// Waits until it answered so many requests, and returns all that it did.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<ApacheRequest> {
        wait_until(&format!("{count} requests at Apache"), PATIENCE, || {
            let lines = self.daemon.lines("access.log");
            (lines.len() >= count).then(|| lines.iter().map(|line| parse(line)).collect())
        })
    }
}

fn parse(line: &str) -> ApacheRequest {
    let fields: Value = serde_json::from_str(line).expect("a line of JSON");
    let text = |name: &str| fields[name].as_str().expect("a field of the log").to_owned();
    ApacheRequest {
        method: text("method"),
        uri: text("uri"),
        status: text("status"),
        protocol: text("protocol"),
        client_port: text("client_port"),
        client_name: text("client_name"),
        expect: text("expect"),
    }
}

fn load_modules() -> String {
    let modules = [
        "mpm_event",
        "authz_core",
        "mime",
        "headers",
        "filter",
        "deflate",
        "brotli",
        "dav",
        "dav_fs",
        "ssl",
        "http2",
        "setenvif",
    ];
    modules.iter().fold(String::new(), |mut lines, module| {
        writeln!(lines, "LoadModule {module}_module {MODULES}/mod_{module}.so").expect("a text grows");
        lines
    })
}

const CONFIGURATION: &str = r#"
ServerName localhost
DefaultRuntimeDir .
StartServers 1
ServerLimit 1
ThreadsPerChild 25
MaxRequestWorkers 25
Protocols h2 http/1.1
DocumentRoot html
TypesConfig /dev/null
AddType text/plain .txt .gz .br .zst
AddType image/png .png
AddCharset ISO-8859-1 .latin1
AddCharset Shift_JIS .sjis
AddEncoding gzip .gz
AddEncoding br .br
AddEncoding zstd .zst
DavLockDB locks
<Directory html/dav>
    Dav on
</Directory>
<Location /gzip/>
    SetOutputFilter DEFLATE
</Location>
<Location /br/>
    SetOutputFilter BROTLI_COMPRESS
</Location>
<Location /cookies/>
    Header add Set-Cookie a=1
    Header add Set-Cookie b=2
</Location>
LogFormat '{"method":"%m","uri":"%U%q","status":"%>s","protocol":"%H","client_port":"%{remote}p","client_name":"%{SSL_CLIENT_S_DN_CN}x","expect":"%{Expect}i"}' record
CustomLog access.log record
"#;
