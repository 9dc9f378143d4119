//! Measures what an open connection takes: `cargo run --release -p engine --example kept -- URL [CONNECTIONS]`.
//!
//! The server must be slow to answer, so that each request has a connection of its own. Prints the memory of the process
//! for each connection that is kept afterwards.

use std::error::Error;
use std::sync::mpsc;
use std::time::Duration;
use std::{env, fs};

use bytes::Bytes;
use engine::{Engine, Policy, Request, Target};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let target = Target::parse(&args.next().ok_or("usage: kept URL [CONNECTIONS]")?)?;
    let count = args.next().map_or(Ok(1000), |arg| arg.parse::<usize>())?;

    let (wake, woken) = mpsc::channel();
    let policy =
        Policy { max_in_flight: count, max_in_flight_per_origin: count, max_connections: count, ..Policy::default() };
    let engine = Engine::start(policy, move || _ = wake.send(()))?;
    let send = |count: usize| -> Result<usize, Box<dyn Error>> {
        let request =
            |key: usize| Request::new(key as i64, "GET", target.clone(), Bytes::new(), Duration::from_secs(60));
        engine.submit((0..count).map(request).collect::<Result<_, _>>()?).map_err(|_| "the engine died")?;
        let (mut outcomes, mut finished, mut good) = (Vec::new(), 0, 0);
        while finished < count {
            woken.recv()?;
            engine.drain(&mut outcomes);
            finished += outcomes.len();
            good += outcomes.drain(..).filter(|outcome| outcome.result.is_ok()).count();
        }
        Ok(good)
    };
    // What is there once: trust roots, code that is touched.
    send(10)?;
    let before = resident()?;
    let good = send(count)?;
    let open = fs::read_dir("/proc/self/fd")?.count();
    let after = resident()?;
    let each = (after - before) * 1024 / count.max(1);
    println!(
        "{good} of {count} requests, {open} descriptors, {before} kB before, {after} kB after: {each} bytes for each"
    );
    Ok(())
}

/// Resident memory in kB (Linux).
fn resident() -> Result<usize, Box<dyn Error>> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse()?)
}
