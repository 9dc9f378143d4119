//! What the worker takes of the machine, whatever receivers and callers do.

use std::fs;
use std::time::{Duration, Instant};

use testkit::{Call, Cluster, Nginx, PATIENCE, Receiver, wait_until, wait_until_at_rest};

use crate::fixture::{Fixture, assert_works};

/// Memory of a process that no file backs, in MiB.
fn own_memory(pid: i32) -> usize {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process");
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).expect("a figure");
    line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number") / 1024
}

/// Waits until the worker has said that it has nothing to do; before that it reports its statistics, and gives memory back.
fn wait_until_idle(fixture: &mut Fixture, pid: i32) {
    let idle = format!("select count(*) from pg_stat_activity where pid = {pid} and state = 'idle'");
    wait_until("an idle worker", PATIENCE, || fixture.value::<i64>(&idle) == 1);
}

fn sockets(pid: i32) -> usize {
    let descriptors = fs::read_dir(format!("/proc/{pid}/fd")).expect("the process").flatten();
    let targets = descriptors.filter_map(|entry| fs::read_link(entry.path()).ok());
    targets.filter(|target| target.to_string_lossy().starts_with("socket:")).count()
}

#[test]
fn a_hundred_endless_replies_at_once_take_bounded_memory() {
    let mut fixture = Fixture::new();
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    let url = fixture.receiver.url("/endless");
    fixture.send_times(Call::get(&url).timeout(5000), 100);
    let other = Receiver::start();
    assert_works(&mut fixture.client, &other);
    let mut peak = 0;
    wait_until("the end of all", 2 * PATIENCE, || {
        peak = peak.max(own_memory(pid));
        fixture.value::<i64>("select count(*) from net.http_request_queue") == 0
    });
    assert!(peak < 256, "{peak} MiB");
    let failures = "select count(*) from net._http_response where error_kind in ('too_large', 'memory', 'timeout')";
    assert_eq!(fixture.value::<i64>(failures), 100);
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), pid);
    fixture.assert_works();
}

#[test]
fn memory_that_large_replies_took_goes_back_to_the_system() {
    // Each connection keeps a buffer for a minute.
    let few = Cluster::builder().conf("pg_net.max_in_flight_per_origin", "20").start_ready();
    let mut fixture = Fixture::with(few);
    fixture.assert_works();
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    let before = own_memory(pid);
    let url = fixture.receiver.url("/big?bytes=3000000");
    fixture.send_times(Call::get(&url).timeout(60_000), 150);
    let mut peak = 0;
    wait_until("the end of all", 2 * PATIENCE, || {
        peak = peak.max(own_memory(pid));
        fixture.value::<i64>("select count(*) from net.http_request_queue") == 0
    });
    let whole = "select count(*) from net._http_response where status_code = 200 and length(content) = 3000000";
    assert_eq!(fixture.value::<i64>(whole), 150);
    wait_until_idle(&mut fixture, pid);
    let kept = own_memory(pid).saturating_sub(before);
    assert!(kept < 32, "{kept} MiB kept of {peak}");
}

#[test]
fn what_is_claimed_fits_into_memory() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.max_in_flight_bytes", "8MB").start_ready());
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    fixture.assert_works();
    let before = own_memory(pid);
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let seen = fixture.receiver.count();
    // 200 MB in all.
    fixture.send_times(
        Call::request("POST", &url).with("body", "decode(repeat('00', 1000000), 'hex')").timeout(60_000),
        200,
    );
    // As many as half of the bytes allow, and the one that goes beyond.
    fixture.receiver.wait_for(seen + 5);
    let used = own_memory(pid).saturating_sub(before);
    assert!(used < 40, "{used} MiB");
    assert!(fixture.receiver.count() <= seen + 5);
    gate.release();
    wait_until("the end of all", 3 * PATIENCE, || {
        fixture.value::<i64>("select count(*) from net.http_request_queue") == 0
    });
    let fine = fixture.value::<i64>("select count(*) from net._http_response where status_code = 200");
    assert_eq!(fine, 201);

    let error = fixture
        .fetch(Call::request("POST", &url).with("body", "decode(repeat('00', 9000000), 'hex')"))
        .error()
        .to_owned();
    assert!(error.ends_with(" bytes is larger than pg_net.max_in_flight_bytes allows"), "{error}");
    fixture.assert_works();
}

#[test]
fn no_more_files_are_open_than_the_server_allows() {
    let mut fixture = Fixture::with(Cluster::builder().conf("max_files_per_process", "64").start_ready());
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    fixture.send_times(Call::get(&url).timeout(60_000), 150);
    fixture.receiver.wait_for(128);
    let open = sockets(pid);
    // The statistics collector's and the postmaster's sockets are not the engine's.
    assert!(open <= 128 + 4, "{open} sockets");
    wait_until_at_rest("a worker at rest", &[pid], Duration::from_millis(200));
    assert_eq!(fixture.receiver.count(), 128);
    gate.release();
    wait_until("the end of all", PATIENCE, || fixture.value::<i64>("select count(*) from net.http_request_queue") == 0);
    // Those that wait for reuse count, too.
    let others = (0..3).map(|_| Receiver::start()).collect::<Vec<_>>();
    others.iter().for_each(|other| assert_works(&mut fixture.client, other));
    assert!(sockets(pid) <= 128 + 4);
}

/// There is always more to read than the one origin has room for.
#[test]
fn a_crowded_origin_has_the_worker_claim_no_more_often_than_it_can() {
    let mut fixture = Fixture::new();
    let nginx = Nginx::start();
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    let commits = "select xact_commit from pg_stat_database where datname = current_database()";
    let before: i64 = fixture.value(commits);
    let start = Instant::now();
    let url = nginx.url("/crowd");
    fixture.send_times(Call::get(&url), 20_000);
    wait_until("the end of all", 6 * PATIENCE, || {
        fixture.value::<i64>("select count(*) from net.http_request_queue") == 0
    });
    let milliseconds = start.elapsed().as_millis() as i64;
    wait_until_idle(&mut fixture, pid);
    let fine = fixture.value::<i64>("select count(*) from net._http_response where status_code = 200");
    assert_eq!(fine, 20000);
    // It records once in two milliseconds and claims what there is room for then, whatever the machine.
    let commits: i64 = fixture.value::<i64>(commits) - before;
    assert!(commits > 20000 / 200 && commits < 2 * milliseconds, "{commits} in {milliseconds} ms");
}
