//! `make torture` runs it: all faults, one after the other, a line each. Fails if a request is unaccounted for.
//!
//! Argument: a part of a fault's name, to run only those. From the environment: SEED, SCALE (1 is ten minutes), and what
//! the script around it sets.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant, SystemTime};

use torture::{Extent, Fault, Mutant, Place, Report};

/// The time that a scenario has for its faults, in seconds at scale 1. What it needs besides does not depend on the scale.
const SCENARIO: f64 = 21.0;
/// The time after which no scenario is begun: at a scale of 0, and what comes on top of it at a scale of 1.
const BOUND: (f64, f64) = (120.0, 420.0);
/// Enough for a mutant to be found.
const MUTANT: Extent = Extent { injections: 3, time: Duration::from_secs(20), writers: WRITERS };
const WRITERS: u64 = 4;
const BACKLOG: usize = 100_000;

fn main() -> ExitCode {
    let part = std::env::args().nth(1);
    let seed = number("SEED").unwrap_or_else(seed_of_the_moment);
    let scale = number("SCALE").unwrap_or(1.0);
    let mut run = Run { place: place(), seed, scale, start: Instant::now(), sound: true };
    println!("seed {seed}, scale {scale}\n\n{}", Report::HEAD);
    for fault in Fault::ALL {
        if part.as_ref().is_none_or(|part| fault.name().contains(part.as_str())) {
            run.scenario(fault);
        }
    }
    if part.is_none() {
        run.backlog();
        run.mutants();
    }
    println!(
        "\nseed {seed}: {}",
        if run.sound { "every request is accounted for" } else { "NOT every request is accounted for" }
    );
    if run.sound { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn number<T: std::str::FromStr>(name: &str) -> Option<T> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty())?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} must be a number, not {text:?}")))
}

fn seed_of_the_moment() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::from(since.subsec_micros())
}

fn place() -> Place {
    let receiver = std::env::current_exe().expect("the program's own path").with_file_name("torture-receiver");
    let scratch = PathBuf::from(std::env::var_os("PGNET_TEST_TMP").expect("run `make torture`"));
    Place { receiver, scratch, mutant: None }
}

struct Run {
    place: Place,
    seed: u64,
    scale: f64,
    start: Instant,
    sound: bool,
}

impl Run {
    fn scenario(&mut self, fault: Fault) {
        if self.start.elapsed().as_secs_f64() > BOUND.0 + BOUND.1 * self.scale {
            println!("{:<33} not run: the time was up", fault.name());
            self.sound = false;
            return;
        }
        let extent =
            Extent { injections: usize::MAX, time: Duration::from_secs_f64(SCENARIO * self.scale), writers: WRITERS };
        // A panic has said what was wrong; the faults after it are still worth a run.
        match catch_unwind(AssertUnwindSafe(|| torture::run(&self.place, fault, self.seed, extent))) {
            Ok(report) => {
                println!("{report}");
                self.sound &= report.wrongs().is_empty();
            }
            Err(_) => {
                println!("{:<33} broken off: see above", fault.name());
                self.sound = false;
            }
        }
    }

    fn backlog(&mut self) {
        let backlog = torture::run_backlog(&self.place, BACKLOG);
        println!("\n{backlog}");
        self.sound &= backlog.is_sound();
    }

    fn mutants(&mut self) {
        let tree = std::env::var_os("PGNET_MUTANTS_ROOT").expect("run `make torture`");
        println!();
        for mutant in Mutant::ALL {
            self.place.mutant = Some((PathBuf::from(&tree), mutant));
            let wrongs = torture::run(&self.place, mutant.shown_by(), self.seed, MUTANT).wrongs();
            self.sound &= !wrongs.is_empty();
            let found =
                if wrongs.is_empty() { "NOT found".to_owned() } else { format!("found: {}", wrongs.join(", ")) };
            println!("mutant {:<19} {:<33} {found}", mutant.name(), mutant.shown_by().name());
        }
    }
}
