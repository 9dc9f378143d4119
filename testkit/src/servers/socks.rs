use super::daemon::{Daemon, LOG};
use crate::{PATIENCE, account, wait_until};

/// Debian's microsocks: a SOCKS 5 server for the user `us@er` with the password `hunter2`.
pub struct Socks {
    daemon: Daemon,
    port: u16,
}

impl Socks {
    /// The first line of a file with the credentials that it accepts.
    pub const CREDENTIALS: &str = "us@er:hunter2\n";

    /// Starts one.
    pub fn start() -> Self {
        let (daemon, [port]) = Daemon::start("microsocks", |_, [port]| {
            let mut command = account::command("/usr/bin/microsocks");
            command.args(["-i", "127.0.0.1", "-p", &port.to_string(), "-u", "us@er", "-P", "hunter2"]);
            command
        });
        Self { daemon, port }
    }

    /// Where it is, for a setting, under one of the schemes `socks5` and `socks5h`.
    pub fn proxy(&self, scheme: &str) -> String {
        format!("{scheme}://127.0.0.1:{}", self.port)
    }

    /// Waits until it has made so many connections, and returns where to.
    #[track_caller]
    pub fn wait_for(&self, count: usize) -> Vec<String> {
        wait_until(&format!("{count} connections through microsocks"), PATIENCE, || {
            let lines = self.daemon.lines(LOG);
            let places = lines.iter().filter_map(|line| Some(line.split_once("connected to ")?.1.to_owned()));
            Some(places.collect::<Vec<_>>()).filter(|places| places.len() >= count)
        })
    }
}
