//! Who may do what, with the expected answer written down for each role and each table, column, sequence and function that
//! the extension has: found out by doing it. An object without an expectation fails the test.

mod functions;
mod relations;
mod roles;

use std::collections::BTreeSet;

use postgres::Client;
use testkit::{Call, Cluster, Receiver, response};

use crate::fixture::value;
use functions::{FUNCTIONS, Function, Granted};
use relations::{OWNED_ROWS, RELATIONS, SEEN};
use roles::{ROLES, does, may};

const REVOKED: &str = "
    revoke all on schema net from public;
    revoke all on all tables in schema net from public;
    revoke all on all sequences in schema net from public;
    revoke all on all functions in schema net from public;
    revoke all on function net.worker_restart() from pg_signal_backend;
    revoke all on function net.origin_state(), net._origin_states() from pg_monitor";

/// The members of the extension that a catalog has, as text.
fn members(client: &mut Client, catalog: &str, name: &str, condition: &str) -> BTreeSet<String> {
    let query = format!(
        "select o.{name}::text from {catalog} o
           join pg_depend d on d.classid = '{catalog}'::regclass and d.objid = o.oid and d.deptype in ('e', 'a', 'i')
          where {condition} group by 1"
    );
    client.query(&query, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

fn names<'a>(expected: impl Iterator<Item = &'a str>) -> BTreeSet<String> {
    expected.map(str::to_owned).collect()
}

fn columns(client: &mut Client, relation: &str) -> Vec<String> {
    let query = "select quote_ident(attname) from pg_attribute
                  where attrelid = $1::text::regclass and attnum > 0 and not attisdropped and attgenerated = ''";
    client.query(query, &[&relation]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// The address of a receiver that never has to answer: nothing is committed.
fn call(function: &Function) -> String {
    function.call.replace("{url}", "http://127.0.0.1:9/")
}

#[test]
fn each_role_may_do_with_each_relation_and_column_what_the_matrix_says() {
    let cluster = roles::cluster();
    let mut client = cluster.connect();
    let there = members(
        &mut client,
        "pg_class",
        "oid::regclass",
        "relnamespace = 'net'::regnamespace and relkind in ('r', 'v', 'S')",
    );
    assert_eq!(there, names(RELATIONS.iter().map(|relation| relation.name)), "each has its expectations");
    let mut connections = roles::connect(&cluster);
    for relation in RELATIONS {
        let columns = columns(&mut client, relation.name);
        for (action, expected) in relation.may {
            for statement in action.statements(relation.name, &columns) {
                for (place, role) in ROLES.iter().enumerate() {
                    let did = does(&mut connections[place], &statement);
                    assert_eq!(did, may(expected, place), "{role}: {statement}");
                }
            }
        }
    }
}

#[test]
fn each_role_sees_and_changes_the_rows_that_the_matrix_says() {
    let cluster = roles::cluster();
    let receiver = Receiver::start();
    let mut connections = roles::connect(&cluster);
    for connection in &mut connections {
        let id = Call::get(&receiver.url("/done")).send(connection);
        response(connection, id);
    }
    let mut client = cluster.connect();
    // Those stay: the database has no worker that sends them any more.
    cluster.alter_system("pg_net.database_name", "template1");
    client.batch_execute("select net.worker_restart()").unwrap();
    testkit::wait_until("the worker to leave", testkit::PATIENCE, || {
        value::<i64>(
            &mut client,
            "select count(*) from pg_stat_activity where backend_type ilike '%pg_net%' and datname = 'postgres'",
        ) == 0
    });
    for connection in &mut connections {
        Call::get(&receiver.url("/waits")).send(connection);
    }
    client
        .batch_execute(
            "insert into net.dead_letter (id, method, url, timeout_milliseconds, requested_by, max_attempts, attempts)
             select id, method, url, timeout_milliseconds, requested_by, 2, 2 from net.http_request_queue",
        )
        .unwrap();
    assert_eq!(SEEN.iter().map(|(role, _)| *role).collect::<Vec<_>>(), ROLES);
    for table in OWNED_ROWS {
        for ((role, expected), connection) in SEEN.iter().zip(&mut connections) {
            let seen = format!("select string_agg(requested_by::regrole::text, ' ' order by id) from {table}");
            assert_eq!(value::<Option<String>>(connection, &seen).as_deref(), Some(*expected), "{role}: {table}");
        }
    }
}

#[test]
fn each_role_may_call_the_functions_that_the_matrix_says() {
    let cluster = roles::cluster();
    let mut client = cluster.connect();
    let there = members(&mut client, "pg_proc", "oid::regprocedure", "pronamespace = 'net'::regnamespace");
    assert_eq!(there, names(FUNCTIONS.iter().map(|function| function.signature)), "each has its expectations");
    let mut connections = roles::connect(&cluster);
    for (place, role) in ROLES.iter().enumerate() {
        connections[place].batch_execute("create temporary table mine (row_key bigint)").unwrap();
        for function in FUNCTIONS {
            let did = does(&mut connections[place], &call(function));
            assert_eq!(did, may(function.installed, place), "{role}: {}", function.signature);
        }
    }
}

/// All is revoked from PUBLIC: the owner and superusers are left.
#[test]
fn after_revoking_all_no_role_may_do_anything() {
    let (cluster, mut connections) = revoked();
    for (place, role) in ROLES.iter().enumerate() {
        let has_all = ["owner", "postgres"].contains(role);
        for function in FUNCTIONS.iter().filter(|function| function.signature != "net._keep_caller(internal)") {
            assert_eq!(does(&mut connections[place], &call(function)), has_all, "{role}: {}", function.signature);
        }
        for table in OWNED_ROWS {
            let reads = has_all || ["reader", "app"].contains(role);
            assert_eq!(does(&mut connections[place], &format!("select from {table}")), reads, "{role}: {table}");
        }
    }
    drop(cluster);
}

/// And granted to one role, function by function: each works for this role, and nothing else does, nor for another.
#[test]
fn after_revoking_all_and_granting_one_function_that_one_works_alone() {
    let (cluster, mut connections) = revoked();
    let mut client = cluster.connect();
    client.batch_execute("grant usage on schema net to alice, bob").unwrap();
    let place = |name: &str| ROLES.iter().position(|role| *role == name).unwrap();
    let (alice, bob) = (place("alice"), place("bob"));
    for granted in FUNCTIONS.iter().filter(|function| function.granted != Granted::OwnersOnly) {
        let signature = granted.signature;
        grant(&mut client, signature);
        if let Granted::Reader { calls } = granted.granted {
            client.batch_execute(&format!("grant select on {} to alice", OWNED_ROWS.join(", "))).unwrap();
            calls.iter().for_each(|other| grant(&mut client, other));
        }
        assert!(does(&mut connections[alice], &call(granted)), "{signature}");
        assert!(!does(&mut connections[bob], &call(granted)), "{signature}");
        let calls = granted.granted.calls();
        for other in FUNCTIONS.iter().filter(|other| other.signature != signature && !calls.contains(&other.signature))
        {
            assert!(!does(&mut connections[alice], &call(other)), "{signature} lets call {}", other.signature);
        }
        client.batch_execute("revoke execute on all functions in schema net from alice").unwrap();
        client.batch_execute(&format!("revoke select on {} from alice", OWNED_ROWS.join(", "))).unwrap();
    }
}

fn grant(client: &mut Client, signature: &str) {
    client.batch_execute(&format!("grant execute on function {signature} to alice")).unwrap();
}

fn revoked() -> (Cluster, Vec<Client>) {
    let cluster = roles::cluster();
    cluster.connect().batch_execute(REVOKED).unwrap();
    let mut connections = roles::connect(&cluster);
    for connection in &mut connections {
        connection.batch_execute("create temporary table mine (row_key bigint)").unwrap();
    }
    (cluster, connections)
}
