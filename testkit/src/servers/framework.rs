use std::process::Command;

use super::daemon::Daemon;
use super::go;
use crate::scratch::Scratch;
use crate::{Identity, Nginx, account};

/// A small application on what applications are made with.
///
/// `POST /echo` answers with a JSON object of what came (`method`, `body`, and `names`, those of the header fields, as the framework
/// shows them), `/events` with server-sent events that never end, `/missing` and `/broken` with the framework's own errors,
/// `/moved` leads to `/there`. A body of more than a megabyte is refused.
pub struct Framework {
    port: u16,
    nginx: Option<Nginx>,
    _daemon: Daemon,
}

impl Framework {
    /// Express on Node.
    pub fn express() -> Self {
        Self::start("express", |scratch, port| {
            let mut command = account::command("node");
            command.arg(scratch.file("express.js", include_str!("framework/express.js"))).arg(port.to_string());
            // Where Debian has it.
            command.env("NODE_PATH", "/usr/share/nodejs");
            command
        })
    }

    /// Go's own server. The first one in a build directory is compiled, which takes a while.
    pub fn go() -> Self {
        Self::start("go", |scratch, port| {
            let program = go::program(scratch, "application", include_str!("framework/application.go"));
            let mut command = account::command(program);
            command.arg(port.to_string());
            command
        })
    }

    /// PHP-FPM behind nginx, which shows this certificate.
    pub fn php(identity: &Identity) -> Self {
        let mut application = Self::start("php", |scratch, port| {
            scratch.file("index.php", include_str!("framework/index.php"));
            let configuration = format!(
                "[global]\nerror_log = {directory}/php.log\n[www]\nlisten = 127.0.0.1:{port}\npm = static\npm.max_children = 4\n\
                 chdir = {directory}\ncatch_workers_output = yes\n",
                directory = scratch.path().display()
            );
            let mut command = account::command("/usr/sbin/php-fpm8.2");
            command.arg("--nodaemonize").arg("-y").arg(scratch.file("php-fpm.conf", &configuration));
            command
        });
        let script = application._daemon.path().join("index.php");
        let directives = format!(
            "location ~ ^/(echo|events|missing|broken|moved|there)$ {{
                fastcgi_pass 127.0.0.1:{};
                fastcgi_param SCRIPT_FILENAME {};
                fastcgi_param REQUEST_METHOD $request_method;
                fastcgi_param REQUEST_URI $request_uri;
                fastcgi_param CONTENT_TYPE $content_type;
                fastcgi_param CONTENT_LENGTH $content_length;
                fastcgi_buffering off;
            }}",
            application.port,
            script.display()
        );
        application.nginx = Some(Nginx::start_showing(identity, &directives));
        application
    }

    fn start(name: &str, program: impl Fn(&Scratch, u16) -> Command) -> Self {
        let (daemon, [port]) = Daemon::start(name, |scratch, [port]| program(scratch, port));
        Self { port, nginx: None, _daemon: daemon }
    }

    /// A URL, in plain HTTP/1.1.
    pub fn url(&self, path: &str) -> String {
        match &self.nginx {
            Some(nginx) => nginx.url(path),
            None => format!("http://127.0.0.1:{}{path}", self.port),
        }
    }

    /// A URL with TLS and HTTP/2, where there is nginx in front.
    pub fn tls_url(&self, path: &str) -> Option<String> {
        self.nginx.as_ref().map(|nginx| nginx.tls_url(path))
    }
}
