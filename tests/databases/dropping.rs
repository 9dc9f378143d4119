//! Dropping the extension or the database, with requests in flight.

use std::time::Duration;

use postgres::Client;
use testkit::{Call, Cluster, Gate, PATIENCE, Receiver};

use crate::fixture::{Fixture, allow_at_most, assert_works, error_of};

/// What is to return promptly: far above what it takes, far below what the requests in flight take.
const PROMPTLY: Duration = Duration::from_secs(4);

/// Puts some requests in flight, which stay there until the gate is released.
fn in_flight(client: &mut Client, receiver: &Receiver) -> Gate {
    let gate = receiver.hold("/held");
    let before = receiver.count();
    let url = receiver.url("/held");
    Call::get(&url).timeout(60_000).send_times(client, 20);
    receiver.wait_for(before + 20);
    gate
}

/// A server whose worker serves the database `app`, with the extension there.
fn app() -> (Cluster, Receiver, Client) {
    let cluster = Cluster::builder().conf("pg_net.database_name", "app").start();
    cluster.connect().batch_execute("create database app").unwrap();
    let mut client = cluster.connect_as("postgres", "app");
    allow_at_most(&mut client, PATIENCE);
    client.batch_execute("create extension pg_net; select net.worker_restart()").unwrap();
    // After the commit, with which the restart comes.
    client.batch_execute("select net.wait_until_running()").unwrap();
    let receiver = Receiver::start();
    assert_works(&mut client, &receiver);
    (cluster, receiver, client)
}

/// Creates `app` again, and fails the test unless it works.
fn assert_new_app_works(cluster: &Cluster, receiver: &Receiver) {
    cluster.connect().batch_execute("create database app").unwrap();
    let mut client = cluster.connect_as("postgres", "app");
    client.batch_execute("create extension pg_net").unwrap();
    assert_works(&mut client, receiver);
}

#[test]
fn the_extension_is_dropped_promptly_with_requests_in_flight() {
    let mut fixture = Fixture::new();
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    let gate = in_flight(&mut fixture.client, &fixture.receiver);
    allow_at_most(&mut fixture.client, PROMPTLY);
    fixture.client.batch_execute("drop extension pg_net").unwrap();
    fixture.client.batch_execute("create extension pg_net").unwrap();
    fixture.assert_works();
    gate.release();
    fixture.assert_works();
    // What was in flight belonged to another extension.
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 2);
    assert_eq!(fixture.receiver.count(), 22);
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), pid);
}

/// Ids begin again, and the outcomes of the old requests come in among those of the new ones.
#[test]
fn ids_that_come_again_after_a_drop_get_their_own_responses() {
    let mut fixture = Fixture::new();
    // More than one origin's share.
    let old = [Receiver::start(), Receiver::start(), Receiver::start()];
    let gates = old.each_ref().map(|receiver| receiver.hold("/held"));
    for (receiver, count) in old.iter().zip([200, 200, 100]) {
        let url = receiver.url("/held");
        let ask = Call::get(&url).timeout(60_000).select_times(count);
        fixture.client.batch_execute(&ask).unwrap();
        receiver.wait_for(count);
    }
    fixture.client.batch_execute("drop extension pg_net; create extension pg_net").unwrap();
    let url = fixture.receiver.url("/echo");
    let ask = format!("select id = net.http_get('{url}?id=' || id) from generate_series(1, 500) as id");
    assert!(fixture.client.query(&ask, &[]).unwrap().iter().all(|row| row.get(0)), "the same ids");
    fixture.receiver.wait_for(200);
    drop(gates);

    let answers = testkit::responses(&mut fixture.client, 500);
    // Those that have to wait for the old outcomes, too, if there were any.
    fixture.assert_works();
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 501);
    for (id, answer) in (1..).zip(answers) {
        assert_eq!((answer.id, answer.json()["url"].as_str()), (Some(id), Some(format!("/echo?id={id}").as_str())));
    }
    assert_eq!(fixture.receiver.count(), 501);
    assert_eq!(old.map(|receiver| receiver.count()), [200, 200, 100]);
}

#[test]
fn a_drop_of_the_extension_that_rolls_back_loses_no_request() {
    let mut fixture = Fixture::new();
    let gate = in_flight(&mut fixture.client, &fixture.receiver);
    allow_at_most(&mut fixture.client, PROMPTLY);
    fixture.client.batch_execute("begin; drop extension pg_net; rollback").unwrap();
    gate.release();
    let answers = testkit::responses(&mut fixture.client, 20);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    fixture.assert_works();
}

#[test]
fn the_database_is_dropped_promptly_with_requests_in_flight() {
    for drop in ["drop database app", "drop database app with (force)"] {
        let (cluster, receiver, mut client) = app();
        let _gate = in_flight(&mut client, &receiver);
        client.close().unwrap();
        let mut admin = cluster.connect();
        allow_at_most(&mut admin, PROMPTLY);
        admin.batch_execute(drop).unwrap_or_else(|error| panic!("{drop}: {error:?}"));
        assert_new_app_works(&cluster, &receiver);
    }
}

#[test]
fn the_database_is_renamed_and_copied_promptly_with_requests_in_flight() {
    let (cluster, receiver, mut client) = app();
    let gate = in_flight(&mut client, &receiver);
    client.close().unwrap();
    let mut admin = cluster.connect();
    allow_at_most(&mut admin, PROMPTLY);
    admin.batch_execute("create database copy template app").unwrap();
    admin.batch_execute("alter database app rename to other").unwrap();
    admin.batch_execute("alter database other rename to app").unwrap();
    gate.release();
    let mut client = cluster.connect_as("postgres", "app");
    let answers = testkit::responses(&mut client, 21);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_works(&mut client, &receiver);
}

/// The command fails for a reason of its own; the worker, asked to leave, is back.
#[test]
fn a_drop_that_another_session_prevents_leaves_the_worker_at_work() {
    let (cluster, receiver, mut client) = app();
    let mut admin = cluster.connect();
    assert_eq!(error_of(&mut admin, "drop database app").0, "55006");
    assert_works(&mut client, &receiver);
}
