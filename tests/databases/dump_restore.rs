//! `pg_dump` and `pg_restore`: the extension comes along, and no request that the old database sends.

use testkit::{Call, Cluster, Gate, PATIENCE, Receiver, response, wait_until};

use crate::fixture::{Fixture, assert_works, error_of, value};

/// A database with a webhook, responses, and requests that wait for answers until the gate is released.
fn database_in_use() -> (Fixture, Gate) {
    let mut fixture = Fixture::new();
    let hook = fixture.receiver.url("/hook");
    fixture
        .client
        .batch_execute(&format!(
            "create role service login;
             revoke execute on function net.http_get(text, jsonb, jsonb, integer) from public;
             grant execute on function net.http_get(text, jsonb, jsonb, integer) to service;
             create table orders (id int);
             create function tell() returns trigger language plpgsql as $$
             begin
                 perform net.http_post('{hook}', jsonb_build_object('order', new.id));
                 return new;
             end
             $$;
             create trigger tell after insert on orders for each row execute function tell();
             create view answers as select * from net._http_response;
             insert into orders values (1)"
        ))
        .unwrap();
    fixture.received("/hook");
    fixture.response(1);
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    fixture.send_times(Call::get(&url).timeout(60_000), 20);
    fixture.receiver.wait_for(21);
    (fixture, gate)
}

/// Fails the test unless the restored database has what was the user's, nothing of the old requests, and works.
fn assert_restored(cluster: &Cluster, old: &Receiver) {
    let mut client = cluster.connect_as("postgres", "restored");
    for table in ["net.http_request_queue", "net._http_response", "answers"] {
        assert_eq!(value::<i64>(&mut client, &format!("select count(*) from {table}")), 0, "{table}");
    }
    let arrived = old.count();
    client.batch_execute("insert into orders values (2)").unwrap();
    assert_eq!(response(&mut client, 1).status_code, Some(200));
    let hooks = old.wait_for(arrived + 1);
    assert_eq!(hooks[arrived].text(), r#"{"order": 2}"#);
    assert_eq!(old.count(), arrived + 1, "nothing stale is sent");

    let its_own = Receiver::start();
    let mut service = cluster.connect_as("service", "restored");
    assert_works(&mut service, &its_own);
    client.batch_execute("create role nobody").unwrap();
    client.batch_execute("set role nobody").unwrap();
    assert_eq!(error_of(&mut client, "select net.http_get('http://127.0.0.1:1/')").0, "42501");
    client.batch_execute("reset role; drop role nobody").unwrap();
}

#[test]
fn a_dump_restored_into_another_database_keeps_rights_and_sends_nothing() {
    let (mut fixture, gate) = database_in_use();
    fixture.client.batch_execute("create database restored").unwrap();
    fixture.cluster.run("pg_dump", &["--format=custom", "--file=dump", "postgres"]);
    fixture.cluster.run("pg_restore", &["--exit-on-error", "--dbname=restored", "dump"]);
    assert_restored(&fixture.cluster, &fixture.receiver);
    // The old database's requests are still its own.
    drop(gate);
    wait_until("an empty queue", PATIENCE, || fixture.value::<i64>("select count(*) from net.http_request_queue") == 0);
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response where status_code = 200"), 21);
}

#[test]
fn a_dump_of_the_whole_server_works_in_a_new_one() {
    let (fixture, _gate) = database_in_use();
    let new = Cluster::builder().start();
    new.connect().batch_execute("create database restored").unwrap();
    let file = |name: &str| fixture.cluster.data_directory().with_file_name(name).to_str().unwrap().to_owned();
    let (globals, database) = (file("globals.sql"), file("database.sql"));
    fixture.cluster.run("pg_dumpall", &["--globals-only", "--file", &globals]);
    // The role postgres is there already.
    new.run("psql", &["-Xq", "-f", &globals]);
    fixture.cluster.run("pg_dump", &["--file", &database, "postgres"]);
    new.run("psql", &["-Xq", "-v", "ON_ERROR_STOP=1", "-d", "restored", "-f", &database]);
    assert_restored(&new, &fixture.receiver);
    assert_eq!(value::<i64>(&mut new.connect_as("postgres", "restored"), "select count(*) from orders"), 2);
}

/// As some restore data into a database whose schema is there already.
#[test]
fn a_dump_of_the_tables_data_alone_brings_no_requests_back() {
    let (mut fixture, _gate) = database_in_use();
    let dump = ["--data-only", "--inserts", "--table=net.http_request_queue", "postgres"];
    let script = fixture.cluster.run("pg_dump", &dump);
    assert_eq!(script.matches("INSERT INTO").count(), 0, "{script}");
    let rows: String = fixture.value("select string_agg(q::text, e'\n') from net.http_request_queue q");
    assert_eq!(rows.lines().count(), 20);
}
