use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::wait::{PATIENCE, wait_until};

/// Kills a process that the test started, without giving it a chance.
pub fn kill(pid: i32) {
    signal(pid, Signal::KILL);
}

/// Asks a process that the test started to end.
pub fn terminate(pid: i32) {
    signal(pid, Signal::TERM);
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a process id");
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

/// Whether a process still runs; one that ended but was not waited for does not.
pub fn is_running(pid: i32) -> bool {
    let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { return false };
    // The name before may hold anything, a closing parenthesis included.
    stat.rsplit_once(") ").is_some_and(|(_, fields)| !fields.starts_with('Z'))
}

/// Waits until processes have slept for some time: none of their threads ran, or stood in line for a processor. Gives the
/// [`switches`] of each.
///
/// # Panics
///
/// With `what` when they have not within [`PATIENCE`].
#[track_caller]
pub fn wait_until_at_rest(what: &str, pids: &[i32], time: Duration) -> Vec<(u64, u64)> {
    let mut last = (Vec::new(), Instant::now());
    wait_until(what, PATIENCE, || {
        let current: Vec<_> = pids.iter().map(|&pid| switches(pid)).collect();
        if current != last.0 || !pids.iter().all(|&pid| is_asleep(pid)) {
            last = (current, Instant::now());
        }
        (last.1.elapsed() >= time).then(|| last.0.clone())
    })
}

/// How often the threads of a process went to sleep of their own accord.
pub fn voluntary_switches(pid: i32) -> u64 {
    switches(pid).0
}

/// How often the threads of a process went to sleep of their own accord, and had to give their processor to others.
pub fn switches(pid: i32) -> (u64, u64) {
    let count = |status: &str, name| field(status, name).parse::<u64>().expect("a count of switches");
    statuses(pid).fold((0, 0), |(voluntary, involuntary), status| {
        (
            voluntary + count(&status, "voluntary_ctxt_switches:"),
            involuntary + count(&status, "nonvoluntary_ctxt_switches:"),
        )
    })
}

fn is_asleep(pid: i32) -> bool {
    statuses(pid).all(|status| field(&status, "State:").starts_with('S'))
}

/// What /proc tells of each thread of a process.
fn statuses(pid: i32) -> impl Iterator<Item = String> {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).expect("the threads of a process");
    threads.map(|thread| fs::read_to_string(thread.expect("a thread").path().join("status")).expect("its status"))
}

fn field<'s>(status: &'s str, name: &str) -> &'s str {
    status.lines().find_map(|line| line.strip_prefix(name)).expect("a field of a status").trim()
}

/// Whether a process has a child whose command line holds a text.
pub(crate) fn has_child(pid: i32, text: &str) -> bool {
    children(pid).iter().any(|(_, title)| title.contains(text))
}

/// The child of a process whose command line is this one, which a process of Postgres' that waits for a lock says behind it.
pub(crate) fn child(pid: i32, title: &str) -> Option<i32> {
    let is_it = |found: &str| found.strip_suffix(" waiting").unwrap_or(found).trim_end() == title;
    children(pid).into_iter().find(|(_, found)| is_it(found)).map(|(child, _)| child)
}

/// The children of a process, with their command lines.
fn children(pid: i32) -> Vec<(i32, String)> {
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    let title = |child: i32| {
        let command = fs::read(format!("/proc/{child}/cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&command).trim_end_matches(['\0', ' ']).to_owned()
    };
    children.split_whitespace().filter_map(|child| child.parse().ok()).map(|child| (child, title(child))).collect()
}

/// How many processes have a piece of System V shared memory.
pub(crate) fn attached(memory: u64) -> u64 {
    let pieces = fs::read_to_string("/proc/sysvipc/shm").expect("read /proc/sysvipc/shm");
    let mut pieces = pieces.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let piece = pieces.find(|fields| fields.get(1).and_then(|id| id.parse().ok()) == Some(memory));
    piece.map_or(0, |fields| fields[6].parse().expect("a number of processes"))
}

/// Whether a process itself listens on all of these ports, in IPv4.
pub(crate) fn listens_on(pid: i32, ports: &[u16]) -> bool {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    let sockets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok()).collect::<Vec<_>>();
    let table = fs::read_to_string("/proc/net/tcp").expect("read the table of sockets");
    ports.iter().all(|&port| {
        table.lines().any(|line| {
            let mut fields = line.split_whitespace().skip(1);
            let (local, state, inode) = (fields.next(), fields.nth(1), fields.nth(5));
            local.is_some_and(|address| address.ends_with(&format!(":{port:04X}")))
                && state == Some(LISTEN)
                && inode.is_some_and(|inode| sockets.contains(&format!("socket:[{inode}]").into()))
        })
    })
}

/// The state of a listening socket in /proc/net/tcp.
const LISTEN: &str = "0A";
