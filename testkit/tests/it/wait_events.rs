//! What `pg_stat_activity` says that our processes and sessions wait for.

use std::thread;

use testkit::{PATIENCE, wait_until};

use crate::support::{Bench, major, value};

#[test]
fn are_named_where_the_server_has_names_for_them() {
    let mut bench = Bench::new();
    let gate = bench.receiver.hold("/held");
    let url = bench.receiver.url("/held");
    let id = bench.ask(&format!("select net.http_get('{url}', timeout_milliseconds := 60000)"));
    bench.received("/held");
    let mut waiting = bench.cluster.connect();
    let session = value::<i32>(&mut waiting, "select pg_backend_pid()");
    let worker = bench.cluster.worker_pid(&mut bench.client);
    let expected = match major(&mut bench.client) {
        ..17 => [(session, "Extension"), (worker, "Extension")],
        _ => [(session, "PgNetResponse"), (worker, "PgNetWorkerMain")],
    };
    thread::scope(|scope| {
        scope.spawn(move || waiting.batch_execute(&format!("select net.await_response({id}, '1 minute')")).unwrap());
        for (pid, name) in expected {
            wait_until(&format!("{name} of {pid}"), PATIENCE, || {
                bench.value::<bool>(&format!(
                    "select coalesce((wait_event_type, wait_event) = ('Extension', '{name}'), false)
                       from pg_stat_activity where pid = {pid}"
                ))
            });
        }
        gate.release();
    });
}
