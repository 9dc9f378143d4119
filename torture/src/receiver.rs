//! The receiver as a scenario holds it: a process that can be killed and started again on the same port.

use std::collections::HashSet;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use testkit::{Authority, Nginx, RefusedPort};

use crate::clock::{self, Moment};
use crate::receipts::{self, Event, Line, Log};

/// What the process does: receives on a port that another one holds, and writes what comes to a file.
pub fn receive(port: u16, file: &Path) -> testkit::Receiver {
    testkit::Receiver::on_port(port, Log::open(file))
}

/// A receiver whose record of what it got survives it.
pub(crate) struct Receiver {
    program: PathBuf,
    file: PathBuf,
    process: Option<Child>,
    /// When it was killed: what was open then is not open any more, although no line says so.
    deaths: Vec<Moment>,
    // No other process gets the port while no receiver runs.
    port: RefusedPort,
}

impl Receiver {
    /// Starts one. `program` is the receiver's, `directory` where its file goes.
    pub(crate) fn start(program: &Path, directory: &Path) -> Self {
        static SERIAL: AtomicU32 = AtomicU32::new(0);
        let serial = SERIAL.fetch_add(1, Ordering::Relaxed);
        let file = directory.join(format!("receipts-{}-{serial}", std::process::id()));
        let port = testkit::Receiver::refused_port();
        let mut receiver = Self { program: program.into(), file, process: None, deaths: Vec::new(), port };
        receiver.start_again();
        receiver
    }

    /// Starts it again after [`kill`](Self::kill).
    pub(crate) fn start_again(&mut self) {
        let mut process = Command::new(&self.program)
            .arg(self.port.port().to_string())
            .arg(&self.file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the receiver");
        let mut line = String::new();
        let output = process.stdout.take().expect("the receiver's output");
        BufReader::new(output).read_line(&mut line).expect("hear from the receiver");
        assert_eq!(line, "ready\n", "the receiver starts");
        self.process = Some(process);
    }

    /// Kills it without giving it a chance.
    pub(crate) fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().expect("kill the receiver");
            process.wait().expect("wait for the receiver's end");
            self.deaths.push(clock::now());
        }
    }

    /// Where it is to be found.
    pub(crate) fn address(&self) -> Address {
        Address { base: "http://127.0.0.1", port: self.port.port() }
    }

    /// Puts an nginx in front of it that takes a few requests on each connection, and turns away those that come with them.
    pub(crate) fn behind_nginx(&self, authority: &Authority) -> (Nginx, Address) {
        let directives = format!(
            "keepalive_requests 20;
             location ~ ^/(delay/|$) {{ proxy_pass http://127.0.0.1:{}; proxy_next_upstream off; }}",
            self.port.port()
        );
        let nginx = Nginx::start_showing(&authority.certify_this_host(), &directives);
        let address = Address { base: "https://localhost", port: nginx.ports().1 };
        (nginx, address)
    }

    /// All lines so far.
    pub(crate) fn lines(&self) -> Vec<Line> {
        receipts::read(&self.file)
    }

    /// How many requests had come and were not done with at a moment.
    pub(crate) fn open_at(&self, moment: Moment) -> usize {
        let died = self.deaths.iter().rev().find(|&&death| death < moment).copied().unwrap_or(Moment::MIN);
        let mut open = HashSet::new();
        for line in self.lines().iter().filter(|line| line.at > died && line.at <= moment) {
            match line.event {
                Event::Received => open.insert(line.tag),
                Event::Answered | Event::BrokenOff => open.remove(&line.tag),
            };
        }
        open.len()
    }
}

/// Where a receiver is to be found, whether it runs or not.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Address {
    base: &'static str,
    port: u16,
}

impl Address {
    /// The URL of a request: `path` says what becomes of it, `tag` which one it is.
    pub(crate) fn url(self, path: &str, tag: u64) -> String {
        format!("{}{tag}", self.prefix(path))
    }

    /// The URL without the tag, which is at its end.
    pub(crate) fn prefix(self, path: &str) -> String {
        format!("{}:{}{path}?tag=", self.base, self.port)
    }

    /// The tag that a URL ends with.
    pub(crate) fn tag(url: &str) -> Option<u64> {
        url.rsplit_once("?tag=")?.1.parse().ok()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
        let _ = std::fs::remove_file(&self.file);
    }
}
