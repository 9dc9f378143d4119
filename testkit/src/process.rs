use std::fs;

use rustix::process::{Pid, Signal, kill_process};

/// Kills a process that the test started, without giving it a chance.
pub fn kill(pid: i32) {
    signal(pid, Signal::KILL);
}

pub(crate) fn signal(pid: i32, signal: Signal) {
    let pid = Pid::from_raw(pid).expect("a process id");
    // It may have ended by itself.
    let _ = kill_process(pid, signal);
}

/// The state letter and the parent of a process, as /proc has them.
fn state_and_parent(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name before may hold anything, a closing parenthesis included.
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.chars().next()?, fields.next()?.parse().ok()?))
}

/// Whether a process still runs; one that ended but was not waited for does not.
pub fn is_running(pid: i32) -> bool {
    state_and_parent(pid).is_some_and(|(state, _)| state != 'Z')
}

/// The processes that a process started.
pub fn children(parent: i32) -> Vec<i32> {
    let processes = fs::read_dir("/proc").expect("read /proc").flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| state_and_parent(pid).is_some_and(|(_, of)| of == parent)).collect()
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
