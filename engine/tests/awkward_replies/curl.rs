use std::net::SocketAddr;
use std::process::{Command, Stdio};

use crate::case::Case;

/// What curl made of a case.
pub(crate) struct Verdict {
    pub(crate) exit: i32,
    /// 0 where no status line came.
    pub(crate) status: u16,
}

/// Runs curl with the options that the engine's behaviour amounts to; none where there is no curl.
pub(crate) fn run(case: &Case, server: SocketAddr) -> Option<Verdict> {
    let max_time = if case.hangs() { "0.5" } else { "8" };
    let output = Command::new("curl")
        .args(["-q", "-sS", "-i", "--max-time", max_time, "--noproxy", "*", "--compressed"])
        .args(["--location", "--max-redirs", "30", "--proto-redir", "=http,https"])
        .args(["--write-out", "%{stderr}%{http_code}", &format!("http://{server}/start")])
        .stdout(Stdio::null())
        .output()
        .ok()?;
    let said = String::from_utf8_lossy(&output.stderr);
    let status = said.get(said.len().saturating_sub(3)..).and_then(|code| code.parse().ok());
    Some(Verdict { exit: output.status.code()?, status: status.unwrap_or(0) })
}

/// The exit code that says what a kind of failure says.
pub(crate) fn exit_for(kind: &str) -> &'static [i32] {
    match kind {
        "no_reply" => &[52],
        "weird_reply" => &[8],
        "partial" => &[18],
        "receive" => &[56],
        "timeout" => &[28],
        "too_many_redirects" => &[47],
        // The scheme, or the URL.
        "bad_redirect" => &[1, 3],
        "too_large" => &[63],
        other => panic!("no exit code for {other}"),
    }
}
