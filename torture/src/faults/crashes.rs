//! Ends of the worker and of the server.

use testkit::{PATIENCE, Shutdown, kill, wait_until};

use super::Injection;
use crate::clock;
use crate::harness::{Harness, ended_worker};

pub(super) fn kill_worker(harness: &mut Harness) -> Option<Injection> {
    let worker = harness.worker();
    let begin = clock::now();
    kill(worker);
    // The server ends every session and recovers.
    let client = &mut harness.client;
    wait_until("the end of all sessions", PATIENCE, || client.batch_execute("select 1").is_err());
    harness.reconnect();
    ended_worker(harness, worker, begin)
}

pub(super) fn terminate_worker(harness: &mut Harness) -> Option<Injection> {
    let worker = harness.worker();
    let how = match harness.rng.chance(70) {
        true => format!("select pg_terminate_backend({worker})"),
        false => "select net.worker_restart()".to_owned(),
    };
    let begin = clock::now();
    harness.client.batch_execute(&how).expect("end the worker");
    ended_worker(harness, worker, begin)
}

pub(super) fn kill_server(harness: &mut Harness) -> Option<Injection> {
    let (worker, begin) = (harness.worker(), clock::now());
    harness.cluster.kill_postmaster();
    harness.cluster.start();
    harness.reconnect();
    ended_worker(harness, worker, begin)
}

pub(super) fn stop_server(harness: &mut Harness) -> Option<Injection> {
    let (worker, begin) = (harness.worker(), clock::now());
    harness.cluster.stop(Shutdown::Immediate);
    harness.cluster.start();
    harness.reconnect();
    ended_worker(harness, worker, begin)
}
