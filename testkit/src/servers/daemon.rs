use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::scratch::Scratch;
use crate::{PATIENCE, ports, process, wait_until};

/// A third-party server, in the foreground, in a directory of its own.
pub(crate) struct Daemon {
    process: Child,
    scratch: Scratch,
}

/// Another process can take a port between our look and the server's bind.
const ATTEMPTS: u32 = 5;

/// What it writes to its standard streams, and where it should log to.
pub(crate) const LOG: &str = "log";

impl Daemon {
    /// Starts one on free ports of 127.0.0.1, and waits until it listens on all of them.
    ///
    /// `configure` fills the directory and gives the command, which is run in it. The server must stay in the foreground.
    pub(crate) fn start<const PORTS: usize>(
        name: &str,
        configure: impl Fn(&Scratch, [u16; PORTS]) -> Command,
    ) -> (Self, [u16; PORTS]) {
        for _ in 0..ATTEMPTS {
            let ports = ports::free();
            let scratch = Scratch::new(name);
            let command = configure(&scratch, ports);
            if let Some(daemon) = Self::try_start(name, scratch, command, &ports) {
                return (daemon, ports);
            }
        }
        panic!("no free ports for {name} after {ATTEMPTS} attempts");
    }

    /// Nothing when a port was lost to another process.
    fn try_start(name: &str, scratch: Scratch, mut command: Command, ports: &[u16]) -> Option<Self> {
        let log = scratch.file(LOG, "");
        let log = OpenOptions::new().append(true).open(log).expect("open the log");
        let process = command
            .current_dir(scratch.path())
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("share the log"))
            .stderr(log)
            // Ctrl-C ends the tests; the servers are then ended, in order, by the script around them.
            .process_group(0)
            .spawn()
            .unwrap_or_else(|error| panic!("start {name}: {error}"));
        let mut daemon = Self { process, scratch };
        daemon.scratch.file("daemon.pid", &daemon.process.id().to_string());
        let ready = wait_until(&format!("{name} to listen"), PATIENCE, || {
            match daemon.process.try_wait().expect("look after a server") {
                Some(_) => Some(false),
                None => process::listens_on(daemon.pid(), ports).then_some(true),
            }
        });
        if ready {
            return Some(daemon);
        }
        let log = daemon.read(LOG);
        assert!(log.contains("ddress already in use"), "{name} did not start:\n{log}");
        None
    }

    fn pid(&self) -> i32 {
        self.process.id().cast_signed()
    }

    /// Its directory.
    pub(crate) fn path(&self) -> &Path {
        self.scratch.path()
    }

    /// A file in its directory, as far as it is written; empty if there is none yet.
    pub(crate) fn read(&self, file: &str) -> String {
        let bytes = fs::read(self.scratch.path().join(file)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The whole lines in a file of its directory: the last one may be half written.
    pub(crate) fn lines(&self, file: &str) -> Vec<String> {
        let content = self.read(file);
        content.split_inclusive('\n').filter_map(|line| line.strip_suffix('\n')).map(str::to_owned).collect()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        process::signal(self.pid(), Signal::TERM);
        let start = Instant::now();
        while matches!(self.process.try_wait(), Ok(None)) {
            if start.elapsed() > PATIENCE {
                let _ = self.process.kill();
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}
