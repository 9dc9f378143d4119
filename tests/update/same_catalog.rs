//! An updated database is a new one, but for what is deliberate: requests keep the C version's timeout of 5 s, and the schema is
//! everybody's to use only where it was.

use std::collections::BTreeSet;
use std::io::Write;

use super::old_version::{ALL, NEWEST, Version};
use super::{catalog, create, fixture, update};

#[test]
fn an_updated_catalog_is_a_new_one_but_for_the_default_timeout_and_the_use_of_the_schema() {
    let fixture = fixture();
    let mut admin = fixture.cluster.connect();
    admin.batch_execute("create role boss superuser").unwrap();
    admin.batch_execute("create database new").unwrap();
    // Owned by the bootstrap superuser, as mostly, and by another one.
    for owner in ["postgres", "boss"] {
        let [mut new, mut updated] = ["new", "postgres"].map(|database| {
            let mut client = fixture.cluster.connect_as("postgres", database);
            client.batch_execute(&format!("set role {owner}; drop extension if exists pg_net cascade")).unwrap();
            client
        });
        new.batch_execute("create extension pg_net").unwrap();
        let new = catalog::read(&mut new);
        assert!(new.len() > 500, "{} facts", new.len());
        for version in ALL {
            create(&mut updated, version);
            assert!(different(&new, &catalog::read(&mut updated)).len() > 100, "{version} is another one");
            update(&mut updated);
            assert_same(
                &new,
                &catalog::read(&mut updated),
                &deliberate(&new, version),
                &format!("{version}, owned by {owner}"),
            );
        }
        // One that was made by the first version, and updated by all that followed.
        create(&mut updated, NEWEST);
        updated
            .batch_execute(
                "alter table net.http_request_queue add column created timestamptz; alter table net.http_request_queue drop created;
                 alter table net._http_response alter column id set not null",
            )
            .unwrap();
        update(&mut updated);
        assert_same(
            &new,
            &catalog::read(&mut updated),
            &deliberate(&new, NEWEST),
            &format!("an aged one, owned by {owner}"),
        );
        let deliberate = deliberate(&new, NEWEST);
        print(&format!("{} facts of a new database and of {} updated ones, owned by {owner}", new.len(), ALL.len()));
        print(&format!("differ in nothing but the default timeout:\n{}", lines(&deliberate)));
    }
}

#[track_caller]
fn assert_same(new: &BTreeSet<String>, updated: &BTreeSet<String>, deliberate: &BTreeSet<String>, what: &str) {
    let different = different(new, updated);
    let differently: Vec<_> = different.symmetric_difference(deliberate).collect();
    assert!(differently.is_empty(), "{what}: {differently:#?}");
}

/// Past the test harness, which shows the output of tests that fail only.
fn print(text: &str) {
    let _ = writeln!(std::io::stderr(), "{text}");
}

fn lines(facts: &BTreeSet<String>) -> String {
    facts.iter().map(|fact| format!("    {fact}\n")).collect()
}

/// What one has and the other has not.
fn different(new: &BTreeSet<String>, updated: &BTreeSet<String>) -> BTreeSet<String> {
    let only_new = new.difference(updated).map(|fact| format!("- {fact}"));
    only_new.chain(updated.difference(new).map(|fact| format!("+ {fact}"))).collect()
}

/// The defaults of the request functions, and until 0.12 who may use the schema.
fn deliberate(new: &BTreeSet<String>, version: Version) -> BTreeSet<String> {
    const IN_NEW: &str = "timeout_milliseconds integer DEFAULT 2000";
    const IN_UPDATED: &str = "timeout_milliseconds integer DEFAULT 5000";
    let timeouts: Vec<_> = new.iter().filter(|fact| fact.contains(IN_NEW)).collect();
    assert_eq!(timeouts.len(), 10, "{timeouts:?}");
    let timeouts =
        timeouts.into_iter().flat_map(|fact| [format!("- {fact}"), format!("+ {}", fact.replace(IN_NEW, IN_UPDATED))]);
    if version.is_open_to_all() {
        return timeouts.collect();
    }
    let usage: Vec<_> = new.iter().filter(|fact| fact.contains("schema net | acl")).collect();
    assert_eq!(usage.len(), 2, "{usage:?}");
    let owner = if usage[0].contains("boss=UC/boss") { "boss" } else { "postgres" };
    let everybody = format!("\"=U/{owner}\", ");
    // Before, the role `postgres` had been given all.
    let postgres = if owner == "boss" { ", \"postgres=U/boss\"]" } else { "]" };
    let usage = usage.into_iter().flat_map(|fact| {
        assert!(fact.contains(&everybody), "{fact}");
        [format!("- {fact}"), format!("+ {}", fact.replace(&everybody, "").replace(']', postgres))]
    });
    timeouts.chain(usage).collect()
}
