//! Dumps and restores by the owner of a database, who owns neither the server nor the extension.

use std::thread;

use testkit::Cluster;

use super::PLATFORM;
use crate::fixture::{Fixture, assert_works, error_of, value};

/// Databases `source` and `target`, which `boss` owns; the extension is a superuser's in both.
fn owned_databases() -> (Fixture, String) {
    let cluster = Cluster::builder().start();
    let mut client = cluster.connect();
    client.batch_execute(PLATFORM).unwrap();
    client.batch_execute("create role boss login createdb").unwrap();
    for database in ["source", "target"] {
        client.batch_execute(&format!("create database {database} owner boss")).unwrap();
        cluster.connect_as("supa", database).batch_execute("create extension pg_net").unwrap();
    }
    cluster
        .connect_as("boss", "source")
        .batch_execute("create table orders (id int); insert into orders values (1)")
        .unwrap();
    let dump = cluster.data_directory().with_file_name("dump.sql").to_str().unwrap().to_owned();
    (Fixture::with(cluster), dump)
}

const AS_BOSS: [&str; 2] = ["--username", "boss"];

fn dump(fixture: &Fixture, options: &[&str], file: &str) {
    fixture.cluster.run("pg_dump", &[&AS_BOSS, options, &["--file", file, "source"][..]].concat());
}

fn restore(fixture: &Fixture, file: &str) {
    fixture
        .cluster
        .run("psql", &[&AS_BOSS[..], &["-Xq", "-v", "ON_ERROR_STOP=1", "-d", "target", "-f", file]].concat());
}

#[test]
fn case_09_the_owner_of_a_database_dumps_it_whole_and_in_parts() {
    let (fixture, file) = owned_databases();
    for options in
        [&[][..], &["-n", "net"], &["--schema-only"], &["--data-only"], &["--data-only", "--disable-triggers"]]
    {
        dump(&fixture, options, &file);
    }
    dump(&fixture, &["--data-only"], &file);
    fixture.cluster.connect_as("boss", "target").batch_execute("create table orders (id int)").unwrap();
    restore(&fixture, &file);
    let mut target = fixture.cluster.connect_as("boss", "target");
    assert_eq!(value::<i64>(&mut target, "select count(*) from orders"), 1);
    assert_works(&mut target, &fixture.receiver);
}

/// With rules, dumping takes what reading them takes, and restoring what writing them takes.
#[test]
fn case_09_rules_are_dumped_and_restored_by_who_may_read_and_write_them() {
    let (mut fixture, file) = owned_databases();
    let mut supa = fixture.cluster.connect_as("supa", "source");
    supa.batch_execute(
        "insert into net.egress_rule (action, host) values ('deny', 'a.example'), ('deny', 'b.example')",
    )
    .unwrap();
    supa.batch_execute("select net.restore_open_access('app')").unwrap();
    let mut boss = fixture.cluster.connect_as("boss", "source");
    assert_eq!(error_of(&mut boss, "copy net.egress_rule to stdout").0, "42501");
    fixture.client.batch_execute("alter role boss bypassrls").unwrap();
    supa.batch_execute("grant select on net.egress_rule, net._open_access to boss").unwrap();
    let mut there = fixture.cluster.connect_as("supa", "target");
    there.batch_execute("grant select, insert on net.egress_rule, net._open_access to boss").unwrap();
    dump(&fixture, &["--data-only", "--exclude-table=orders"], &file);
    restore(&fixture, &file);
    let rules = "select string_agg(id || ' ' || host, ', ' order by id) from net.egress_rule";
    assert_eq!(value::<String>(&mut there, rules), "1 a.example, 2 b.example");
    assert_eq!(value::<String>(&mut there, "select role::text from net._open_access"), "app");
    // Numbers go on, and what was restored is dumped again.
    let next: i32 = value(&mut there, "insert into net.egress_rule (action, port) values ('deny', 1) returning id");
    assert_eq!(next, 3);
    assert_eq!(registered(&mut there), "net._open_access net.egress_rule");
}

/// The tables that a dump of the extension takes along.
fn registered(client: &mut postgres::Client) -> String {
    value(
        client,
        "select coalesce(string_agg(c::text, ' ' order by c::text), '') from pg_extension,
                unnest(extconfig::regclass[]) as c where extname = 'pg_net'",
    )
}

#[test]
fn case_09_a_table_of_settings_is_dumped_only_while_it_has_rows() {
    let mut fixture = Fixture::new();
    assert_eq!(registered(&mut fixture.client), "");
    for (change, expected) in [
        ("insert into net.egress_rule (action, port) values ('deny', 1), ('deny', 2)", "net.egress_rule"),
        ("select net.restore_open_access()", "net._open_access net.egress_rule"),
        ("delete from net.egress_rule where port = 1", "net._open_access net.egress_rule"),
        ("delete from net.egress_rule", "net._open_access"),
        ("begin; insert into net.egress_rule (action) values ('deny'); rollback", "net._open_access"),
        ("insert into net.egress_rule (action) values ('deny')", "net._open_access net.egress_rule"),
        ("truncate net.egress_rule", "net._open_access"),
        ("select net.revoke_open_access()", ""),
        (
            "begin isolation level repeatable read; select 1; insert into net.egress_rule (action) values ('deny'); commit",
            "net.egress_rule",
        ),
        (
            "begin; delete from net.egress_rule; savepoint s; insert into net.egress_rule (action) values ('deny'); rollback to s; commit",
            "",
        ),
    ] {
        fixture.client.batch_execute(change).unwrap_or_else(|error| panic!("{change}: {error:?}"));
        assert_eq!(registered(&mut fixture.client), expected, "{change}");
    }
}

/// Two sessions that write at once: who commits last decides, by what both have left.
#[test]
fn case_09_writers_at_the_same_time_agree() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("insert into net.egress_rule (action, port) values ('deny', 1)").unwrap();
    let mut other = fixture.cluster.connect();
    let mut transaction = fixture.client.transaction().unwrap();
    transaction.batch_execute("delete from net.egress_rule").unwrap();
    let inserting = thread::spawn(move || {
        other.batch_execute("insert into net.egress_rule (action, port) values ('deny', 2)").unwrap();
        other
    });
    let mut third = fixture.cluster.connect();
    testkit::wait_until("the insert to wait for the delete's end", testkit::PATIENCE, || {
        value::<bool>(&mut third, "select exists (select from pg_locks where locktype = 'object' and not granted)")
    });
    transaction.commit().unwrap();
    let mut other = inserting.join().unwrap();
    assert_eq!(registered(&mut other), "net.egress_rule");
    assert_eq!(value::<i64>(&mut other, "select count(*) from net.egress_rule"), 1);
}

/// What triggers were kept from noting is noted by the worker.
#[test]
fn case_09_the_worker_mends_what_a_restore_without_triggers_left() {
    let mut fixture = Fixture::new();
    fixture
        .client
        .batch_execute(
            "begin;
             alter table net.egress_rule disable trigger all;
             insert into net.egress_rule (id, action, host) overriding system value values (7, 'deny', 'a.example');
             alter table net.egress_rule enable trigger all;
             commit",
        )
        .unwrap();
    assert_eq!(registered(&mut fixture.client), "");
    fixture.assert_works();
    assert_eq!(registered(&mut fixture.client), "net.egress_rule");
    let next: i32 = fixture.value("insert into net.egress_rule (action, port) values ('deny', 1) returning id");
    assert_eq!(next, 8);
}
