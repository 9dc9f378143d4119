use std::process::{Command, Stdio};

use crate::USER_AGENT;
use crate::case::{Case, Way};

/// Runs curl with what the C version gives libcurl: each header as a line of its own, and its own User-Agent behind them.
pub(crate) fn run(case: &Case, way: Way, url: &str, port: u16) {
    let mut curl = Command::new("curl");
    curl.args(["-q", "-s", "--globoff", "--insecure", "--max-time", "8"]);
    match way {
        Way::Http1 => curl.args(["--http1.1", "--noproxy", "*"]),
        Way::Http2 => curl.args(["--http2", "--noproxy", "*"]),
        Way::Proxy => curl.args(["--http1.1", "--proxy", &format!("http://127.0.0.1:{port}")]),
    };
    if !matches!((case.method, case.body), ("GET", "") | ("POST", _)) {
        curl.args(["--request", case.method]);
    }
    if !case.body.is_empty() || case.method == "POST" {
        curl.args(["--data-binary", case.body]);
    }
    for (name, value) in case.fields {
        curl.args(["--header", &format!("{name}: {value}")]);
    }
    if !case.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case("user-agent")) {
        curl.args(["--header", &format!("User-Agent: {USER_AGENT}")]);
    }
    // What it says of itself has no part in this; that it runs has.
    curl.arg(url).stdout(Stdio::null()).status().expect("curl");
}
