//! From Postgres 17 on, all rights on a table include that to maintain it; and some of what that is stops everybody.

use postgres::Client;

use super::{platform, web_and_anon};
use crate::fixture::{Fixture, major, value};

const TABLES: [&str; 6] =
    ["http_request_queue", "_http_response", "dead_letter", "egress_rule", "_open_access", "_home"];

/// What writes a table or its indexes anew, with everybody else shut out.
fn stops_others(table: &str, index: &str) -> Vec<String> {
    vec![
        format!("vacuum full net.{table}"),
        format!("vacuum (full, analyze) pg_temp.mine, net.{table}"),
        format!("vacuum (full off, full) net.{table}"),
        "vacuum full".into(),
        format!("cluster net.{table} using {index}"),
        format!("reindex table net.{table}"),
        format!("reindex index net.{index}"),
        format!("set search_path = net, public; reindex (concurrently off) table {table}"),
    ]
}

fn index_of(client: &mut Client, table: &str) -> Option<String> {
    let index = "select (min(indexrelid::regclass::text)) from pg_index
                  where indrelid = $1::text::regclass and indpred is null and indexprs is null";
    let name: Option<String> = client.query_one(index, &[&format!("net.{table}")]).unwrap().get(0);
    name.map(|name| name.trim_start_matches("net.").to_owned())
}

/// Where tables and their indexes are stored: what is written anew is stored elsewhere.
fn places(client: &mut Client) -> String {
    value(
        client,
        "select string_agg(oid::regclass || ' ' || coalesce(pg_relation_filenode(oid), 0), ', ' order by oid)
                     from pg_class where relnamespace = 'net'::regnamespace and relkind in ('r', 'i')",
    )
}

/// The statements that changed something, and those of the others that were refused by us.
fn run(fixture: &mut Fixture, client: &mut Client) -> (Vec<String>, Vec<String>) {
    client.batch_execute("create temporary table mine ()").unwrap();
    let (mut done, mut refused) = (Vec::new(), Vec::new());
    for table in TABLES {
        let Some(index) = index_of(&mut fixture.client, table) else { continue };
        for statement in stops_others(table, &index) {
            let before = places(&mut fixture.client);
            // One at a time: some of them run in no transaction with others.
            let outcome = statement.split("; ").try_for_each(|statement| client.batch_execute(statement));
            client.batch_execute("reset search_path").unwrap();
            if places(&mut fixture.client) != before {
                done.push(statement);
            } else if let Err(error) = outcome
                && error.as_db_error().is_some_and(|error| error.message().contains("in a way that stops others"))
            {
                assert_eq!(error.code().unwrap().code(), "42501", "{statement}");
                refused.push(statement);
            }
        }
    }
    (done, refused)
}

fn granted() -> Fixture {
    let mut fixture = platform();
    fixture
        .client
        .batch_execute("grant usage on schema net to anon; grant all on all tables in schema net to anon")
        .unwrap();
    fixture
}

#[test]
fn granted_all_rights_a_role_maintains_in_no_way_that_stops_others() {
    let mut fixture = granted();
    let [_, mut anon] = web_and_anon(&fixture);
    let (done, refused) = run(&mut fixture, &mut anon);
    assert_eq!(done, Vec::<String>::new());
    let is_since_17 = major(&mut fixture.client) >= 17;
    assert_eq!(refused.len() > 30, is_since_17, "{refused:#?}");
    // What stops nobody is what Postgres says.
    for statement in ["vacuum", "analyze", "vacuum net.http_request_queue", "analyze net._http_response"] {
        anon.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
    if is_since_17 {
        anon.batch_execute("reindex table concurrently net.http_request_queue").unwrap();
        anon.batch_execute("reindex (concurrently) index net._http_response_created_idx").unwrap();
    }
    fixture.assert_works();
}

#[test]
fn who_maintains_the_database_and_opened_roles_do_it_as_ever() {
    let mut fixture = granted();
    if major(&mut fixture.client) < 17 {
        // There is nobody but the owner.
        let mut owner = fixture.cluster.connect();
        assert!(run(&mut fixture, &mut owner).0.len() > 30);
        return;
    }
    fixture
        .client
        .batch_execute(
            "create role keeper login in role pg_maintain; grant usage on schema net to keeper;
             create role boss login; grant usage on schema net to boss; alter database postgres owner to boss",
        )
        .unwrap();
    for role in ["keeper", "boss", "postgres"] {
        let mut client = fixture.cluster.connect_as(role, "postgres");
        let (done, refused) = run(&mut fixture, &mut client);
        assert_eq!(refused, Vec::<String>::new(), "{role}");
        assert!(done.len() > 5, "{role}: {done:#?}");
    }
    let [_, mut anon] = web_and_anon(&fixture);
    fixture.client.batch_execute("select net.restore_open_access('anon')").unwrap();
    assert_eq!(run(&mut fixture, &mut anon).1, Vec::<String>::new());
}
