//! What the figures were measured on.

use std::fs;
use std::process::Command;

/// The machine and the programs, as a Markdown list.
pub(crate) fn describe() -> String {
    let processors = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = processors.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let memory =
        memory.lines().find_map(|line| line.strip_prefix("MemTotal:")?.trim().strip_suffix(" kB")?.parse().ok());
    let memory: f64 = memory.unwrap_or_default();
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let load: Vec<&str> = load.split(' ').take(2).collect();
    [
        format!("- processor: {}, {cores} cores", model.map_or("unknown", |(_, model)| model)),
        format!("- memory: {:.1} GiB", memory / 1024.0 / 1024.0),
        format!("- kernel: {}", kernel.trim()),
        format!("- Postgres: {}", first_line(&testkit::program("postgres").to_string_lossy(), &["--version"])),
        format!("- rustc: {}", first_line("rustc", &["--version"])),
        format!("- nginx: {}", first_line("/usr/sbin/nginx", &["-v"])),
        format!("- wrk: {}", first_line("wrk", &["-v"])),
        format!("- commit: {}", commit()),
        format!("- load average of the last minute and five, before the run: {}", load.join(", ")),
    ]
    .join("\n")
}

/// The commit, and whether something was changed since, other than results of this benchmark.
fn commit() -> String {
    let commit = first_line("git", &["rev-parse", "--short", "HEAD"]);
    let same =
        Command::new("git").args(["diff", "--quiet", "HEAD", "--", ":/", ":(top,exclude)bench/results"]).status();
    if same.is_ok_and(|same| same.success()) { commit } else { format!("{commit}, with changes") }
}

/// The first line that a program prints, on whichever stream.
fn first_line(program: &str, arguments: &[&str]) -> String {
    let Ok(output) = Command::new(program).args(arguments).output() else { return "unknown".to_owned() };
    let text = [output.stdout, output.stderr].concat();
    // wrk adds its copyright.
    let text = String::from_utf8_lossy(&text);
    text.lines().next().unwrap_or("unknown").split(" Copyright").next().unwrap_or_default().trim().to_owned()
}
