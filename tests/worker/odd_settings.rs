//! What a role, a database or the server may be set to: the worker's statements do not depend on it.

use std::thread;
use std::time::Duration;

use postgres::Client;
use testkit::{Call, Cluster, PATIENCE, wait_until};

use crate::fixture::{Fixture, allow_at_most};

/// Settings that would change what the worker's statements do, or that they do at all, and further ones of all kinds.
const ODD: &[(&str, &str)] = &[
    ("search_path", "nowhere"),
    ("session_replication_role", "replica"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_deferrable", "on"),
    ("statement_timeout", "1ms"),
    ("lock_timeout", "1ms"),
    ("idle_in_transaction_session_timeout", "1ms"),
    ("idle_session_timeout", "1ms"),
    ("exit_on_error", "on"),
    ("row_security", "on"),
    ("client_encoding", "EUC_JP"),
    ("client_min_messages", "error"),
    ("standard_conforming_strings", "off"),
    ("array_nulls", "off"),
    ("bytea_output", "escape"),
    ("DateStyle", "SQL, DMY"),
    ("IntervalStyle", "sql_standard"),
    ("TimeZone", "Pacific/Kiritimati"),
    ("extra_float_digits", "-15"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("xmloption", "document"),
    ("lc_messages", "C"),
    ("work_mem", "64kB"),
    ("temp_buffers", "800kB"),
    ("max_stack_depth", "100kB"),
    ("enable_indexscan", "off"),
    ("enable_indexonlyscan", "off"),
    ("enable_seqscan", "on"),
    ("enable_sort", "on"),
    ("plan_cache_mode", "force_custom_plan"),
    ("jit", "on"),
    ("jit_above_cost", "0"),
    ("force_parallel_mode", "on"),
    ("debug_parallel_query", "on"),
    ("parallel_setup_cost", "0"),
    ("parallel_tuple_cost", "0"),
    ("min_parallel_table_scan_size", "0"),
    ("from_collapse_limit", "1"),
    ("synchronous_commit", "off"),
    ("default_tablespace", "nowhere"),
    ("temp_tablespaces", "nowhere"),
    ("default_toast_compression", "pglz"),
    ("check_function_bodies", "off"),
    ("allow_system_table_mods", "on"),
    ("track_activities", "off"),
    ("track_counts", "off"),
    ("log_statement", "all"),
    ("log_duration", "on"),
    ("log_statement_stats", "on"),
    ("log_min_messages", "debug2"),
    ("log_error_verbosity", "verbose"),
    ("debug_print_plan", "on"),
    ("debug_print_rewritten", "on"),
    ("backtrace_functions", "exec_simple_query"),
    ("session_preload_libraries", "nowhere"),
    ("plpgsql.extra_errors", "all"),
];

/// Those that came with a later major version than the oldest, or went with one: Postgres 16 has another name for the first.
const NOT_EVERYWHERE: &[&str] =
    &["force_parallel_mode", "debug_parallel_query", "idle_session_timeout", "default_toast_compression"];

/// All of the odd settings that this server has.
fn odd(client: &mut Client) -> Vec<(&'static str, &'static str)> {
    let has = "select exists (select from pg_settings where name = $1) or $1 like '%.%'";
    let (odd, missing): (Vec<_>, Vec<_>) =
        ODD.iter().partition(|(name, _)| client.query_one(has, &[name]).unwrap().get::<_, bool>(0));
    assert!(missing.iter().all(|(name, _)| NOT_EVERYWHERE.contains(name)), "{missing:?}");
    odd
}

/// Restarts the worker, and fails the test unless it then works, also when an error of a statement comes.
#[track_caller]
fn assert_works_anew(fixture: &mut Fixture, other: &mut Client, with: &str) {
    fixture.client.batch_execute("select net.worker_restart()").unwrap();
    allow_at_most(&mut fixture.client, PATIENCE);
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    fixture.assert_works();
    let pid = fixture.cluster.worker_pid(&mut fixture.client);

    let url = fixture.receiver.url("/behind-a-lock");
    let mut transaction = other.transaction().unwrap();
    transaction.batch_execute("lock table net._http_response").unwrap();
    let id = fixture.send(Call::get(&url));
    let told = "could not store responses, and will try again";
    let before = fixture.cluster.log().matches(told).count();
    wait_until("an error of a statement", PATIENCE, || fixture.cluster.log().matches(told).count() > before);
    transaction.commit().unwrap();
    assert_eq!(fixture.response(id).status_code, Some(200), "{with}");
    fixture.assert_works();
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), pid, "{with}");
    assert!(!fixture.cluster.log().contains("was terminated by signal"), "{with}");
}

/// A worker with a role of its own, and two sessions from before anything is set.
fn fixture() -> (Fixture, Client) {
    let cluster = Cluster::builder().conf("pg_net.username", "robot").start();
    let mut client = cluster.connect();
    client.batch_execute("create role robot superuser login; create role nobody").unwrap();
    client.batch_execute("create extension pg_net").unwrap();
    (Fixture::with(cluster), client)
}

#[test]
fn odd_settings_of_its_role_do_not_stop_the_worker() {
    let (mut fixture, mut other) = fixture();
    for (name, value) in odd(&mut fixture.client) {
        fixture.client.batch_execute(&format!("alter role robot set {name} = '{value}'")).unwrap();
    }
    assert_works_anew(&mut fixture, &mut other, "odd settings of its role");
    fixture.client.batch_execute("alter role robot reset all; alter role robot set role = nobody").unwrap();
    assert_works_anew(&mut fixture, &mut other, "another role");
    // What is set and cannot be any more.
    fixture.client.batch_execute("drop role nobody").unwrap();
    assert_works_anew(&mut fixture, &mut other, "a role that is gone");
}

#[test]
fn odd_settings_of_its_database_do_not_stop_the_worker() {
    let (mut fixture, mut other) = fixture();
    for (name, value) in odd(&mut fixture.client) {
        fixture.client.batch_execute(&format!("alter database postgres set {name} = '{value}'")).unwrap();
    }
    assert_works_anew(&mut fixture, &mut other, "odd settings of its database");
}

/// Where a worker is told to connect and cannot: it does not try every second, and comes when it can.
#[test]
fn a_worker_that_cannot_connect_waits_and_comes_when_it_can() {
    let long = "x".repeat(100);
    let odd = [
        ("a name that is too long", "pg_net.database_name", long.as_str(), "select 1", "select 1"),
        ("a name with quotes", "pg_net.database_name", "o'\"dd", "select 1", "select 1"),
        ("a database that allows no connection", "pg_net.database_name", "template0", "select 1", "select 1"),
        ("no such role", "pg_net.username", "nowhere", "select 1", "select 1"),
        (
            "a role that may not log in",
            "pg_net.username",
            "robot",
            "alter role robot nologin",
            "alter role robot login",
        ),
        (
            "a role that may not connect",
            "pg_net.username",
            "robot",
            "revoke connect on database postgres from public",
            "grant connect on database postgres to public",
        ),
        (
            "a role that may have no connection",
            "pg_net.username",
            "robot",
            "alter role robot connection limit 0",
            "alter role robot connection limit -1",
        ),
    ];
    thread::scope(|scope| {
        for (what, name, value, spoil, mend) in odd {
            scope.spawn(move || leads_nowhere(what, name, value, spoil, mend));
        }
    });
}

fn leads_nowhere(what: &str, name: &str, value: &str, spoil: &str, mend: &str) {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    allow_at_most(&mut fixture.client, PATIENCE);
    fixture.client.batch_execute("create role robot login").unwrap();
    fixture.client.batch_execute(spoil).unwrap();
    fixture.client.batch_execute(&format!("alter system set {name} = '{}'", value.replace('\'', "''"))).unwrap();
    fixture.client.batch_execute("select net.worker_restart()").unwrap();
    // Time itself is what this is about: a worker that tried every second would have said so each time.
    thread::sleep(Duration::from_secs(8));
    let log = fixture.cluster.log();
    let attempts = log.lines().filter(|line| line.contains("FATAL:")).count();
    assert!(attempts <= 3, "{what}: {attempts} attempts in 8 s");

    fixture.client.batch_execute(mend).unwrap();
    fixture.client.batch_execute(&format!("alter system reset {name}")).unwrap();
    fixture.client.batch_execute("select net.worker_restart()").unwrap();
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    fixture.assert_works();
}
