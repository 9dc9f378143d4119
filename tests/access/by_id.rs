//! Another role's response, asked for by its id: through each function that takes one.

use postgres::{Client, SimpleQueryMessage};
use serde_json::json;
use testkit::{Call, response};

use crate::fixture::{Fixture, value};

/// What the functions that take ids say to a role that must not see this one: what they would say of no request at all.
const CALLS: &[(&str, &str)] = &[
    ("_await_response(bigint)", "false"),
    ("await_response(bigint,interval)", "P0002"),
    ("await_responses(bigint[],interval)", "P0002"),
    ("_http_collect_response(bigint,boolean)", "(ERROR,\"request matching request_id not found\",)"),
    ("http_collect_response(bigint,boolean)", "(ERROR,\"request matching request_id not found\",)"),
    ("cancel(bigint)", "false"),
    ("cancel(bigint[])", "0"),
    ("retry(bigint)", "false"),
];

/// What a call with this id gives, as text; the SQLSTATE of its error.
fn answer(client: &mut Client, function: &str, id: i64) -> String {
    let name = function.split_once('(').expect("a signature").0;
    let ids = if function.contains("(bigint[]") { format!("array[{id}]::bigint[]") } else { id.to_string() };
    match client.simple_query(&format!("select net.{name}({ids})::text")) {
        Ok(rows) => rows
            .iter()
            .find_map(|row| match row {
                SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("null").to_owned()),
                _ => None,
            })
            .unwrap_or_default(),
        Err(error) => error.code().expect("an error of the server's").code().to_owned(),
    }
}

#[test]
fn no_other_role_gets_at_a_response_by_its_id() {
    let mut fixture = Fixture::new();
    let takes_ids = "select array_agg(oid::regprocedure::text order by proname) from pg_proc
                      where pronamespace = 'net'::regnamespace and proargnames[1] like 'request_id%'";
    let known: Vec<_> = {
        let mut known: Vec<_> = CALLS.iter().map(|(function, _)| format!("net.{function}")).collect();
        known.sort();
        known
    };
    let mut there = fixture.value::<Vec<String>>(takes_ids);
    there.sort();
    assert_eq!(there, known, "each has its expectation");

    fixture.client.batch_execute("create role ann login; create role bob login").unwrap();
    let url = fixture.receiver.url("/echo");
    let mut ann = fixture.cluster.connect_as("ann", "postgres");
    let id = Call::post(&url).json(json!({"key": "sesame"})).send(&mut ann);
    assert!(response(&mut ann, id).content.is_some_and(|content| content.contains("sesame")));

    let mut bob = fixture.cluster.connect_as("bob", "postgres");
    for (function, expected) in CALLS {
        assert_eq!(answer(&mut bob, function, id), *expected, "{function}");
        assert_eq!(answer(&mut bob, function, 12345), *expected, "{function}, of no request");
    }
    for (function, _) in CALLS.iter().filter(|(function, _)| function.contains("await") || function.contains("collect"))
    {
        let hers = answer(&mut ann, function, id);
        assert!(hers.contains("sesame") || hers == "true", "{function}: {hers}");
    }
    assert_eq!(value::<i64>(&mut bob, &format!("select count(*) from net._http_response where id = {id}")), 0);
}
