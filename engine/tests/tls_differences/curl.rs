use std::process::{Command, Stdio};

use crate::case::Case;

/// What curl exits with. It trusts the same file, and like us the system's directory of roots.
pub(crate) fn run(case: &Case, url: &str, proxy: Option<&str>) -> i32 {
    let mut command = Command::new("curl");
    command.args(["-q", "-sS", "--max-time", "20", "--cacert"]).arg(&case.trusted);
    match proxy {
        Some(proxy) => command.args(["--proxy", proxy]),
        None => command.args(["--noproxy", "*"]),
    };
    if let Some((certificate, key)) = &case.shown {
        command.arg("--cert").arg(certificate).arg("--key").arg(key);
    }
    let status = command.arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status();
    status.expect("curl").code().expect("curl is not killed")
}

/// The exit codes that say what an outcome says.
pub(crate) fn exits_for(outcome: &str) -> &'static [i32] {
    match outcome {
        "200" => &[0],
        "certificate" => &[60],
        "tls_handshake" => &[35],
        "client_certificate" => &[58],
        // libcurl's for a certificate that is required; it knows that of a handshake only.
        "client_certificate_refused" => &[98],
        other => panic!("no exit code for {other}"),
    }
}
