//! Measures the engine against a server: `cargo run --release -p engine --example drain -- URL [COUNT [CONCURRENCY]]`.
//!
//! Prints requests a second and the processor time that the engine's thread took for each. Compare with
//! `wrk -t1 -c64 -d5 URL` on the same server: its requests a second are what the server can do.

use std::error::Error;
use std::sync::mpsc;
use std::time::{Duration, Instant};
use std::{env, fs};

use bytes::Bytes;
use engine::{Engine, Policy, Request, Target};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = env::args().skip(1);
    let target = Target::parse(&args.next().ok_or("usage: drain URL [COUNT [CONCURRENCY]]")?)?;
    let count = args.next().map_or(Ok(200_000), |arg| arg.parse::<usize>())?;
    let concurrency = args.next().map_or(Ok(64), |arg| arg.parse::<usize>())?;

    let (wake, woken) = mpsc::channel();
    let policy = Policy { max_in_flight: concurrency, max_in_flight_per_origin: concurrency, ..Policy::default() };
    let engine = Engine::start(policy, move || _ = wake.send(()))?;
    let request = |key: usize| Request::new(key as i64, "GET", target.clone(), Bytes::new(), Duration::from_secs(30));

    let started = Instant::now();
    let mut outcomes = Vec::new();
    let (mut submitted, mut finished, mut failed) = (0, 0, 0);
    while finished < count {
        // As a host does: enough in hand that the engine never waits for more, and no more than that.
        let batch = (finished + 4 * concurrency).min(count) - submitted;
        if batch >= concurrency || submitted + batch == count {
            let requests = (submitted..submitted + batch).map(request).collect::<Result<Vec<_>, _>>()?;
            submitted += requests.len();
            engine.submit(requests).map_err(|_| "the engine died")?;
        }
        woken.recv()?;
        engine.drain(&mut outcomes);
        finished += outcomes.len();
        for outcome in outcomes.drain(..) {
            if let Err(failure) = outcome.result {
                failed += 1;
                if failed == 1 {
                    eprintln!("first failure: {failure} ({})", failure.detail().unwrap_or("no detail"));
                }
            }
        }
    }
    let elapsed = started.elapsed();
    let per_request = engine_thread_time()? / count as u32;
    println!(
        "{count} requests in {elapsed:.2?}: {:.0} a second, {:.1} µs of the engine's thread each, {failed} failed",
        count as f64 / elapsed.as_secs_f64(),
        per_request.as_nanos() as f64 / 1000.0
    );
    Ok(())
}

/// The processor time of the thread named `pg_net engine`, by the scheduler's own account (Linux).
fn engine_thread_time() -> Result<Duration, Box<dyn Error>> {
    for task in fs::read_dir("/proc/self/task")? {
        let task = task?.path();
        if fs::read_to_string(task.join("comm"))?.trim() == "pg_net engine" {
            let stat = fs::read_to_string(task.join("schedstat"))?;
            let nanos = stat.split_whitespace().next().ok_or("no figure in schedstat")?;
            return Ok(Duration::from_nanos(nanos.parse()?));
        }
    }
    Err("the engine's thread is gone".into())
}
