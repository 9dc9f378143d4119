//! Servers and certificates, one by one: whether we take them, beside what curl does with the same.
//!
//! Prints a table, as `make test TEST=tls_differences` does.

mod case;
mod certificate;
mod certificates;
mod clients;
mod curl;
mod files;
mod protocols;
mod server;

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use engine::{ClientIdentity, Engine, HostPattern, Outcome, Policy, Proxy, Request, Target};

use case::Case;

const THREADS: usize = 4;

struct Row {
    line: String,
    /// What is wrong with it.
    fault: Option<String>,
}

#[test]
fn cases_38_39_40_44_tls_differences() {
    let proxy = format!("http://{}", server::proxy());
    let makers: &[fn() -> Vec<Case>] = &[
        certificates::cases,
        certificates::names,
        certificates::chains,
        files::cases,
        protocols::cases,
        clients::cases,
    ];
    let next = AtomicUsize::new(0);
    let work = || {
        let mut rows = Vec::new();
        while let Some((at, make)) =
            Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|at| Some((at, makers.get(at)?)))
        {
            rows.push((at, make().iter().map(|case| examine(case, &proxy)).collect::<Vec<_>>()));
        }
        rows
    };
    let mut rows = thread::scope(|scope| {
        let threads = (0..THREADS).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    rows.sort_by_key(|(at, _)| *at);
    let rows = rows.into_iter().flat_map(|(_, rows)| rows).collect::<Vec<_>>();

    let mut table =
        "| server | ours | detail | curl exit | same? | why different |\n|---|---|---|---|---|---|\n".to_owned();
    for row in &rows {
        table += &row.line;
        table.push('\n');
    }
    // Past the test harness, which shows the output of tests that fail only.
    let _ = writeln!(io::stderr(), "{table}\n{} servers", rows.len());
    let faults = rows.iter().filter_map(|row| row.fault.as_deref()).collect::<Vec<_>>();
    assert!(rows.len() >= 40);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn examine(case: &Case, proxy: &str) -> Row {
    // Names that are not this machine's are for the proxy to connect.
    let proxy = (!["localhost", "127.0.0.1"].contains(&case.host)).then_some(proxy);
    let url = format!("https://{}:{}/", case.host, case.port());
    let outcome = carry_out(case, &url, proxy);
    let (ours, detail) = match &outcome.result {
        Ok(response) => (response.status.to_string(), ""),
        Err(failure) => (failure.kind().name().to_owned(), failure.detail().unwrap_or("")),
    };
    let exit = curl::run(case, &url, proxy);
    let same = curl::exits_for(&ours).contains(&exit);
    let fault = if ours != case.ours || !detail.contains(case.detail) {
        Some(format!("{}: {ours} ({detail}) instead of {} ({})", case.name, case.ours, case.detail))
    } else if !same && case.unlike_curl.is_empty() {
        Some(format!("{}: {ours}, and curl exits with {exit}; no reason is given", case.name))
    } else {
        None
    };
    let (same, reason) = if same { ("yes", "") } else { ("no", case.unlike_curl) };
    let cells = [case.name, &ours, detail, &exit.to_string(), same, reason].map(|cell| cell.replace('|', "\\|"));
    Row { line: format!("| {} |", cells.join(" | ")), fault }
}

fn carry_out(case: &Case, url: &str, proxy: Option<&str>) -> Outcome {
    let identity = case.shown.as_ref().map(|(cert_file, key_file)| ClientIdentity {
        cert_file: cert_file.clone(),
        key_file: key_file.clone(),
        hosts: vec![HostPattern::parse(case.host).unwrap()],
    });
    let policy = Policy {
        ca_file: Some(case.trusted.clone()),
        client_identity: identity,
        proxy: proxy.map(|proxy| Proxy::parse(proxy).unwrap()),
        ..Policy::default()
    };
    let (notify, notified) = mpsc::channel();
    let engine = Engine::start(policy, move || _ = notify.send(())).unwrap();
    let target = Target::parse(url).unwrap();
    engine.submit(vec![Request::new(1, "GET", target, Bytes::new(), Duration::from_secs(20)).unwrap()]).unwrap();
    notified.recv_timeout(Duration::from_secs(40)).expect("no outcome in time");
    let mut outcomes = Vec::new();
    engine.drain(&mut outcomes);
    outcomes.remove(0)
}
