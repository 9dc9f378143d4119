use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};

use rustix::process::Signal;

use super::{ServerConfig, template};
use crate::{PATIENCE, account, ports, process, wait_until};

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// When the last client has left.
    Smart,
    /// Clients are disconnected.
    Fast,
    /// As if it had crashed.
    Immediate,
}

/// A running postmaster.
pub(super) struct Server {
    postmaster: Child,
    port: u16,
}

impl Server {
    /// Starts one on a free port.
    pub(super) fn start(config: &ServerConfig) -> Self {
        // Another process can take the port between our look and the server's bind.
        const ATTEMPTS: u32 = 5;
        for _ in 0..ATTEMPTS {
            let [port] = ports::free();
            if let Some(server) = Self::try_start(config, port) {
                return server;
            }
        }
        panic!("no free port for Postgres after {ATTEMPTS} attempts");
    }

    /// Nothing when the port was lost to another process.
    fn try_start(config: &ServerConfig, port: u16) -> Option<Self> {
        let log = OpenOptions::new().append(true).open(&config.log).expect("open the log");
        let before = read_log(&config.log).len();
        let postmaster = account::command(template::program_of(&config.root, "postgres"))
            .arg("-D")
            .arg(&config.data)
            .args(["-p", &port.to_string()])
            .envs(config.environment.iter().map(|(name, value)| (name, value)))
            .current_dir(&config.data)
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("share the log"))
            .stderr(log)
            // Ctrl-C ends the tests; the servers are then ended, in order, by the script around them.
            .process_group(0)
            .spawn()
            .expect("start postgres");

        let mut server = Self { postmaster, port };
        let ready = wait_until("Postgres to be ready", PATIENCE, || {
            match server.postmaster.try_wait().expect("look after postgres") {
                Some(_) => Some(false),
                None => is_ready(&config.data, server.pid()).then_some(true),
            }
        });
        if ready {
            return Some(server);
        }
        let log = read_log(&config.log).split_off(before);
        assert!(log.contains("could not create any TCP/IP sockets"), "Postgres did not start:\n{log}");
        None
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn pid(&self) -> i32 {
        self.postmaster.id().cast_signed()
    }

    pub(super) fn stop(self, how: Shutdown) {
        let signal = match how {
            Shutdown::Smart => Signal::TERM,
            Shutdown::Fast => Signal::INT,
            Shutdown::Immediate => Signal::QUIT,
        };
        process::signal(self.pid(), signal);
        // The drop waits.
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let ended = |child: &mut Child| matches!(child.try_wait(), Ok(Some(_)));
        let start = std::time::Instant::now();
        while !ended(&mut self.postmaster) {
            if start.elapsed() > PATIENCE {
                // A server that cannot be stopped fails its test, but must not outlive it.
                let _ = self.postmaster.kill();
                let _ = self.postmaster.wait();
                assert!(std::thread::panicking(), "Postgres did not stop within {PATIENCE:?}");
                return;
            }
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
    }
}

/// Whether the server says in its pid file, where pg_ctl looks too, that it takes connections.
fn is_ready(data: &Path, pid: i32) -> bool {
    let status = fs::read_to_string(data.join("postmaster.pid")).unwrap_or_default();
    let lines: Vec<&str> = status.lines().map(str::trim).collect();
    // A server that was killed left a file that says so too.
    lines.first() == Some(&pid.to_string().as_str()) && matches!(lines.get(7), Some(&("ready" | "standby")))
}

/// The server's System V shared memory, which all its processes share: what a new server looks at to see whether one of an
/// old server's still runs.
pub(super) fn shared_memory(data: &Path) -> u64 {
    let status = fs::read_to_string(data.join("postmaster.pid")).expect("read the pid file");
    let key_and_id = status.lines().nth(6).expect("a line for the shared memory");
    key_and_id.split_whitespace().nth(1).and_then(|id| id.parse().ok()).expect("an id of shared memory")
}

pub(super) fn read_log(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
