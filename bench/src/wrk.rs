//! The yardstick: wrk.

use std::path::PathBuf;
use std::process::Command;

/// The options of every run: 64 connections on wrk's two threads.
pub(crate) const OPTIONS: [&str; 4] = ["-t", "2", "-c", "64"];

/// What wrk sends again and again.
pub(crate) struct Wrk {
    url: String,
    script: Option<PathBuf>,
}

impl Wrk {
    /// GETs.
    pub(crate) fn get(url: &str) -> Self {
        Self { url: url.to_owned(), script: None }
    }

    /// POSTs with this JSON body, which must not hold a `]]`.
    pub(crate) fn post(url: &str, body: &str) -> Self {
        let script = crate::scratch().join(format!("post-{}.lua", body.len()));
        let lua =
            format!("wrk.method = 'POST'\nwrk.headers['Content-Type'] = 'application/json'\nwrk.body = [[{body}]]\n");
        std::fs::write(&script, lua).expect("write wrk's script");
        Self { url: url.to_owned(), script: Some(script) }
    }

    /// Requests a second over so many seconds.
    pub(crate) fn run(&self, seconds: u32) -> f64 {
        let mut command = Command::new("wrk");
        command.args(OPTIONS).args(["-d", &format!("{seconds}s")]);
        if let Some(script) = &self.script {
            command.arg("-s").arg(script);
        }
        let output = command.arg(&self.url).output().expect("run wrk");
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "wrk failed: {text}{}", String::from_utf8_lossy(&output.stderr));
        assert!(!text.contains("Non-2xx") && !text.contains("Socket errors"), "wrk met errors:\n{text}");
        let rate = text.lines().find_map(|line| line.trim().strip_prefix("Requests/sec:")?.trim().parse().ok());
        rate.unwrap_or_else(|| panic!("no rate in what wrk says:\n{text}"))
    }
}
