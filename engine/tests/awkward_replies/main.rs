//! Replies that servers should not send, one by one: what we make of them and why, beside what curl makes of the same bytes.
//!
//! Prints a table, as `make test TEST=awkward` does. Without curl its columns are empty.

mod bodies;
mod case;
mod chunks;
mod curl;
mod endings;
mod heads;
mod lengths;
mod redirects;
mod server;
mod status_lines;

use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use engine::{Content, Engine, Outcome, Policy, Request, Target};

use case::Case;

/// Cases that run at the same time: most of the time is curl's start.
const THREADS: usize = 4;

struct Row {
    line: String,
    /// What is wrong with it.
    fault: Option<String>,
}

#[test]
fn awkward_replies() {
    let cases = [
        chunks::cases(),
        lengths::cases(),
        heads::cases(),
        status_lines::cases(),
        endings::cases(),
        bodies::cases(),
        redirects::cases(),
    ];
    let cases = cases.into_iter().flatten().collect::<Vec<_>>();
    let next = AtomicUsize::new(0);
    let mut rows = thread::scope(|scope| {
        let work = || {
            let mut rows = Vec::new();
            while let Some((at, case)) =
                Some(next.fetch_add(1, Ordering::SeqCst)).and_then(|at| Some((at, cases.get(at)?)))
            {
                rows.push((at, examine(case)));
            }
            rows
        };
        let threads = (0..THREADS).map(|_| scope.spawn(work)).collect::<Vec<_>>();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    rows.sort_by_key(|(at, _)| *at);

    let mut table =
        "| reply | ours | because | curl exit | same? | why different |\n|---|---|---|---|---|---|\n".to_owned();
    for (_, row) in &rows {
        table += &row.line;
        table.push('\n');
    }
    // Past the test harness, which shows the output of tests that fail only.
    let _ = writeln!(io::stderr(), "{table}\n{} replies", rows.len());
    let faults = rows.iter().filter_map(|(_, row)| row.fault.as_deref()).collect::<Vec<_>>();
    assert!(rows.len() >= 60);
    assert!(faults.is_empty(), "\n{}", faults.join("\n"));
}

fn examine(case: &Case) -> Row {
    let outcome = carry_out(case);
    let ours = describe(&outcome);
    let verdict = curl::run(case, server::serve(case));
    let same = verdict.as_ref().map(|verdict| match &outcome.result {
        Ok(response) => (verdict.exit, verdict.status) == (0, response.status),
        Err(failure) => curl::exit_for(failure.kind().name()).contains(&verdict.exit),
    });
    let fields = outcome.result.as_ref().map(|response| &response.headers);
    let missing = case.fields.iter().find(|(name, value)| fields.is_ok_and(|fields| fields.get(name) != Some(*value)));
    let fault = if ours != case.ours {
        Some(format!("{}: {ours} instead of {} ({:?})", case.name, case.ours, outcome.result))
    } else if let Some((name, value)) = missing {
        Some(format!("{}: no {name}: {value} in {:?}", case.name, outcome.result))
    } else if same == Some(false) && case.unlike_curl.is_empty() {
        let exit = verdict.as_ref().map(|verdict| verdict.exit);
        Some(format!("{}: unlike curl ({exit:?}), and no reason is given", case.name))
    } else {
        None
    };
    let exit = verdict.map_or_else(String::new, |verdict| verdict.exit.to_string());
    // Another version of curl may be like us where the one that the reasons were written for is not.
    let (same, reason) = match same {
        None => ("", ""),
        Some(true) => ("yes", ""),
        Some(false) => ("no", case.unlike_curl),
    };
    let cells = [case.name, &ours, case.because, &exit, same, reason].map(|cell| cell.replace('|', "\\|"));
    Row { line: format!("| {} |", cells.join(" | ")), fault }
}

fn carry_out(case: &Case) -> Outcome {
    let timeout = if case.hangs() { Duration::from_millis(300) } else { Duration::from_secs(8) };
    let (notify, notified) = mpsc::channel();
    let engine = Engine::start(Policy::default(), move || _ = notify.send(())).unwrap();
    let target = Target::parse(&format!("http://{}/start", server::serve(case))).unwrap();
    engine.submit(vec![Request::new(1, "GET", target, Bytes::new(), timeout).unwrap()]).unwrap();
    notified.recv_timeout(Duration::from_secs(20)).expect("no outcome in time");
    let mut outcomes = Vec::new();
    engine.drain(&mut outcomes);
    outcomes.remove(0)
}

fn describe(outcome: &Outcome) -> String {
    match &outcome.result {
        Ok(response) => match &response.content {
            Content::Empty => format!("{} empty", response.status),
            Content::Text(text) => format!("{} {text:?}", response.status),
            Content::Bytes(bytes) => format!("{} {} bytes", response.status, bytes.len()),
        },
        Err(failure) => failure.kind().name().to_owned(),
    }
}
