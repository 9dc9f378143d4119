//! `pg_upgrade`, from the major version before where there are several: what waits is sent by the new server, once, and what
//! was answered stays.

use testkit::{Builder, Cluster, Shutdown, is_running, responses};

use crate::fixture::{Fixture, assert_works, error_of, value};

const CHECKSUMS: &str = "show data_checksums";

/// A cluster to upgrade to. Old and new must have checksums, or must not; by default they have since Postgres 18.
fn new_cluster(builder: impl Fn() -> Builder, checksums: String) -> Cluster {
    let cluster = builder().start();
    if value::<String>(&mut cluster.connect(), CHECKSUMS) == checksums {
        return cluster;
    }
    builder().initdb("--no-data-checksums").start()
}

#[test]
fn pg_upgrade_brings_waiting_requests_and_responses_along() {
    let Fixture { mut client, receiver, cluster: mut old } = Fixture::with(Cluster::builder().old().start_ready());
    client
        .batch_execute(&format!(
            "create role alice login;
             revoke execute on function net.http_post(text, jsonb, jsonb, jsonb, integer) from public;
             create view ping as select net.http_get('{}') as id;
             alter database postgres set pg_net.ttl = '1 day'",
            receiver.url("/ping")
        ))
        .unwrap();
    let mut alice = old.connect_as("alice", "postgres");
    assert_works(&mut alice, &receiver);
    assert_works(&mut client, &receiver);
    let gate = receiver.hold("/held");
    let url = receiver.url("/held");
    let queue =
        format!("select net.http_get('{url}?n=' || n, timeout_milliseconds := 60000) from generate_series(1, 20) n");
    client.batch_execute(&queue).unwrap();
    receiver.wait_for(22);
    let functions = "select count(*) from pg_proc where pronamespace = 'net'::regnamespace";
    let functions_before: i64 = value(&mut client, functions);
    let worker = old.worker_pid(&mut client);
    let checksums = value(&mut client, CHECKSUMS);
    drop((client, alice));
    old.stop(Shutdown::Fast);
    assert!(!is_running(worker));
    let mut new = new_cluster(Cluster::builder, checksums);
    new.stop(Shutdown::Fast);

    let said = new.upgrade_from(&old, &["--check"]);
    assert!(said.contains("Clusters are compatible"), "{said}");
    let said = new.upgrade_from(&old, &[]);
    assert!(said.contains("Upgrade Complete"), "{said}");
    // Its servers load the library, and send nothing.
    assert_eq!(receiver.count(), 22);

    gate.release();
    new.start();
    let mut client = new.connect();
    let answers = responses(&mut client, 22);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    assert!(answers.iter().map(|answer| answer.id.unwrap()).eq(1..=22));
    assert_eq!(receiver.count(), 42);
    assert_eq!(value::<i64>(&mut client, "select id from ping"), 23);
    assert_works(&mut client, &receiver);

    // All objects belong to the extension as before, and rights and settings are as they were.
    assert_eq!(value::<i64>(&mut client, functions), functions_before);
    let mut alice = new.connect_as("alice", "postgres");
    assert_eq!(value::<Vec<i64>>(&mut alice, "select array_agg(id) from net._http_response"), [1]);
    assert_eq!(error_of(&mut alice, "select net.http_post('http://127.0.0.1:1/')").0, "42501");
    assert_eq!(value::<String>(&mut alice, "show pg_net.ttl"), "1 day");
    drop(alice);
    client.batch_execute("drop view ping; drop extension pg_net; create extension pg_net").unwrap();
    assert_works(&mut client, &receiver);
}

/// As where the setting is forgotten in the new configuration: the check says what is missing.
#[test]
fn pg_upgrade_into_a_server_that_does_not_preload_the_library_works() {
    let Fixture { mut client, receiver, cluster: mut old } = Fixture::with(Cluster::builder().old().start_ready());
    assert_works(&mut client, &receiver);
    let checksums = value(&mut client, CHECKSUMS);
    drop(client);
    old.stop(Shutdown::Fast);
    let mut new = new_cluster(|| Cluster::builder().no_preload(), checksums);
    new.stop(Shutdown::Fast);
    new.upgrade_from(&old, &["--check"]);
    new.upgrade_from(&old, &[]);
    new.start();
    let mut client = new.connect();
    assert_eq!(value::<i64>(&mut client, "select count(*) from net._http_response"), 1);
    let error = client.batch_execute("select net.http_get('http://127.0.0.1:1/')").unwrap_err();
    let error = error.as_db_error().unwrap();
    assert!(error.hint().is_some_and(|hint| hint.contains("shared_preload_libraries")), "{error:?}");
}
