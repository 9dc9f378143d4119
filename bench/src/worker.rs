//! What the kernel says of the worker's process.

use std::fs;

/// The anonymous memory that a process has of its own, in MiB.
pub(crate) fn own_memory(pid: i32) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("read the worker's status");
    let kibibytes = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
    kibibytes.and_then(|number| number.parse::<f64>().ok()).expect("a line with RssAnon") / 1024.0
}

/// What the threads of a process have used so far.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Use {
    /// Clock ticks, a hundredth of a second each.
    pub(crate) ticks: u64,
    /// The same in the scheduler's own, finer measure, where the kernel keeps it.
    pub(crate) nanoseconds: u64,
}

/// What all threads of a process have used so far.
pub(crate) fn cpu(pid: i32) -> Use {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).expect("read the worker's threads");
    let each = tasks.flatten().filter_map(|task| {
        let stat = fs::read_to_string(task.path().join("stat")).ok()?;
        // The name before may hold anything; user and system time are the 12th and 13th field behind it.
        let fields: Vec<u64> = stat.rsplit_once(") ")?.1.split(' ').skip(11).flat_map(str::parse).take(2).collect();
        let schedule = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
        let nanoseconds = schedule.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or_default();
        Some(Use { ticks: fields.iter().sum(), nanoseconds })
    });
    each.fold(Use::default(), |sum, used| Use {
        ticks: sum.ticks + used.ticks,
        nanoseconds: sum.nanoseconds + used.nanoseconds,
    })
}
