//! What `pg_stat_activity` says that our processes and sessions wait for.

use std::thread;

use testkit::{Call, PATIENCE, wait_until};

use crate::fixture::{Fixture, major, value};

#[test]
fn are_named_where_the_server_has_names_for_them() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let id = fixture.send(Call::get(&url).timeout(60_000));
    fixture.received("/held");
    let mut waiting = fixture.cluster.connect();
    let session = value::<i32>(&mut waiting, "select pg_backend_pid()");
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    let expected = match major(&mut fixture.client) {
        ..17 => [(session, "Extension"), (worker, "Extension")],
        _ => [(session, "PgNetResponse"), (worker, "PgNetWorkerMain")],
    };
    thread::scope(|scope| {
        scope.spawn(move || waiting.batch_execute(&format!("select net.await_response({id}, '1 minute')")).unwrap());
        for (pid, name) in expected {
            wait_until(&format!("{name} of {pid}"), PATIENCE, || {
                fixture.value::<bool>(&format!(
                    "select coalesce((wait_event_type, wait_event) = ('Extension', '{name}'), false)
                       from pg_stat_activity where pid = {pid}"
                ))
            });
        }
        gate.release();
    });
}
