//! The HTTP servers that come with a language, as small programs of ours start them.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use serde_json::Value;

use crate::daemon::{Daemon, LOG};
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
            let program = scratch.path().join("server");
            // By another process: what this one writes may not be run while a server that another test starts meanwhile has it, too.
            let copied = Command::new("cp").arg(go_program()).arg(&program).status().expect("run cp");
            assert!(copied.success(), "copy the server");
            fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("make it a program");
            account::command(program)
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

/// The compiled server: kept in the build directory, where it is made anew when its source is newer.
fn go_program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let test = std::env::current_exe().expect("the path of the running test");
        // <build directory>/<profile>/deps/<test>
        let directory = test.ancestors().nth(3).expect("a build directory").join("tmp/go-server");
        let (program, own) = (directory.join("server"), directory.join(format!("server-{}", std::process::id())));
        let source = directory.join("server.go");
        fs::create_dir_all(&directory).expect("make a directory");
        let is_built = fs::read_to_string(&source).is_ok_and(|built| built == include_str!("server.go"));
        if is_built && program.exists() {
            return program;
        }
        // Another test process may be at the same: each compiles one of its own, and the last one stays.
        let own_source = own.with_extension("go");
        fs::write(&own_source, include_str!("server.go")).expect("write the source");
        let compiled = Command::new("go")
            .args(["build", "-o"])
            .arg(&own)
            .arg(&own_source)
            .env("GOCACHE", directory.join("cache"))
            .envs([("GO111MODULE", "off"), ("CGO_ENABLED", "0"), ("GOFLAGS", ""), ("GOPROXY", "off")])
            .output()
            .expect("run go");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        fs::rename(&own, &program).expect("keep the server");
        fs::rename(&own_source, &source).expect("keep its source");
        program
    })
}
