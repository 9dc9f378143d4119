//! Ends of the worker and of the server.

use testkit::{PATIENCE, Shutdown, kill, wait_until};

use super::Injection;
use crate::clock;
use crate::harness::{Field, ended_worker};

pub(super) fn kill_worker(field: &mut Field) -> Option<Injection> {
    let worker = field.worker();
    let begin = clock::now();
    kill(worker);
    // The server ends every session and recovers.
    let client = &mut field.client;
    wait_until("the end of all sessions", PATIENCE, || client.batch_execute("select 1").is_err());
    field.reconnect();
    ended_worker(field, worker, begin)
}

pub(super) fn terminate_worker(field: &mut Field) -> Option<Injection> {
    let worker = field.worker();
    let how = match field.dice.chance(70) {
        true => format!("select pg_terminate_backend({worker})"),
        false => "select net.worker_restart()".to_owned(),
    };
    let begin = clock::now();
    field.client.batch_execute(&how).expect("end the worker");
    ended_worker(field, worker, begin)
}

pub(super) fn kill_server(field: &mut Field) -> Option<Injection> {
    let (worker, begin) = (field.worker(), clock::now());
    field.cluster.kill_postmaster();
    field.cluster.start();
    field.reconnect();
    ended_worker(field, worker, begin)
}

pub(super) fn stop_server(field: &mut Field) -> Option<Injection> {
    let (worker, begin) = (field.worker(), clock::now());
    field.cluster.stop(Shutdown::Immediate);
    field.cluster.start();
    field.reconnect();
    ended_worker(field, worker, begin)
}
