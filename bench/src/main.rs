//! Measures pg_net beside its yardsticks. `make bench` runs it; see the README beside this crate.

#![forbid(unsafe_code)]

mod clock;
mod drain;
mod lab;
mod machine;
mod measures;
mod pace;
mod paired;
mod plain_table;
mod plot;
mod receiver;
mod report;
mod stats;
mod worker;
mod wrk;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use report::Report;

/// No part is begun after this long, so that a run ends also on a machine that is busy with something else.
const BOUND: Duration = Duration::from_secs(9 * 60);

/// A directory that goes when the run is over.
fn scratch() -> PathBuf {
    std::env::var_os("PGNET_TEST_TMP").expect("run `make bench`").into()
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let results = Path::new("bench/results");
    fs::create_dir_all(results).expect("make the directory for the results");
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {
            let report = everything(results);
            fs::write(results.join("report.md"), &report).expect("write the report");
            println!("\n{report}");
        }
        // What a part starts in a network of its own.
        [measures::own_network::names::INSIDE] => measures::own_network::names::inside(),
        [measures::own_network::hosts::INSIDE] => measures::own_network::hosts::inside(),
        ["soak"] => {
            let machine = machine::describe();
            let mut report = Report::default();
            measures::soak::run(&mut report, results);
            let text =
                format!("# Ten minutes at a fixed rate\n\n{}\n{}\n\n{}", report.table(), machine, report.details());
            fs::write(results.join("soak.md"), &text).expect("write the report");
            println!("\n{text}");
        }
        [name] => {
            let mut report = Report::default();
            let Some((_, measure)) = measures::ALL.iter().find(|(known, _)| *known == name) else {
                let names: Vec<&str> = measures::ALL.iter().map(|&(name, _)| name).collect();
                eprintln!("no part {name:?}; there are: {}", names.join(", "));
                std::process::exit(2);
            };
            // Plots of a part alone are looked at in no report.
            measure(&mut report, &scratch());
            println!("\n{}", report.table());
        }
        _ => {
            eprintln!("usage: bench [PART]");
            std::process::exit(2);
        }
    }
}

/// Runs all parts, as far as there is time, and makes the report.
fn everything(results: &Path) -> String {
    let start = Instant::now();
    let machine = machine::describe();
    let mut report = Report::default();
    for (name, measure) in measures::ALL {
        if start.elapsed() < BOUND {
            measure(&mut report, results);
        } else {
            report.part(name);
            report.note("Not run: the time was up.");
        }
    }
    format!(
        "# What pg_net does, measured\n\nWritten by `make bench`. [How to read it](../README.md).\n\n{}\n\
         The last row of the project's table, ten minutes at a fixed rate, is measured by `make bench-soak`: [soak.md](soak.md).\n\n\
         ## The machine\n\n{machine}\n- the run took {:.1} minutes\n\n{}",
        report.table(),
        start.elapsed().as_secs_f64() / 60.0,
        report.details(),
    )
}
