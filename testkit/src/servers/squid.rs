use std::fmt::Write;

use super::daemon::{Daemon, LOG};
use crate::{Authority, PATIENCE, account, wait_until};

/// Debian's Squid: a proxy over HTTP on one port and over TLS on another, for the user `us@er` with the password `hunter2`.
pub struct Squid {
    daemon: Daemon,
    port: u16,
    tls_port: u16,
}

impl Squid {
    /// The first line of a file with the credentials that it accepts.
    pub const CREDENTIALS: &str = "us@er:hunter2\n";

    /// Starts one with a certificate of this authority, which finds these host names on this machine.
    pub fn start(authority: &Authority, hosts: &[&str]) -> Self {
        let identity = authority.certify_this_host();
        let (daemon, [port, tls_port]) = Daemon::start("squid", |scratch, [port, tls_port]| {
            let directory = scratch.path().display();
            scratch.file("users", USERS);
            let hosts = hosts.iter().fold("127.0.0.1 localhost\n".to_owned(), |mut lines, host| {
                writeln!(lines, "127.0.0.1 {host}").expect("a text grows");
                lines
            });
            scratch.file("hosts", &hosts);
            let configuration = format!(
                "http_port 127.0.0.1:{port}
https_port 127.0.0.1:{tls_port} tls-cert={} tls-key={}
hosts_file {directory}/hosts
dns_nameservers 127.0.0.1
auth_param basic program /usr/lib/squid/basic_ncsa_auth {directory}/users
auth_param basic realm test
auth_param basic children 1 startup=1
acl known proxy_auth REQUIRED
http_access allow known
http_access deny all
cache deny all
access_log stdio:{directory}/access.log squid
cache_log {directory}/{LOG}
coredump_dir {directory}
pid_filename none
netdb_filename none
pinger_enable off
visible_hostname squid.example
shutdown_lifetime 0 seconds
",
                identity.certificate().display(),
                identity.key().display(),
            );
            let mut command = account::command("/usr/sbin/squid");
            command.args(["-N", "-f"]).arg(scratch.file("squid.conf", &configuration));
            command
        });
        Self { daemon, port, tls_port }
    }

    /// Where it is spoken to over HTTP, as a setting has it.
    pub fn proxy(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where it is spoken to over TLS, as a setting has it.
    pub fn tls_proxy(&self) -> String {
        format!("https://localhost:{}", self.tls_port)
    }

    /// Waits for so many lines of its access log that hold this.
    #[track_caller]
    pub fn wait_for(&self, count: usize, this: &str) {
        wait_until(&format!("{count} times {this:?} at Squid"), PATIENCE, || {
            self.lines().iter().filter(|line| line.contains(this)).count() >= count
        });
    }

    /// Its access log so far: what it did, for whom.
    pub fn lines(&self) -> Vec<String> {
        self.daemon.lines("access.log")
    }
}

/// `openssl passwd -1 -salt pg_net hunter2`
const USERS: &str = "us@er:$1$pg_net$JNJk2CoeRDfbX1/Rw/emP.\n";
