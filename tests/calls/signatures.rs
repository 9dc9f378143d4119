//! Names, types, defaults and columns that databases rely on.

use crate::fixture::{Fixture, error_of};

/// Functions with their arguments and results.
const SIGNATURES: &[(&str, &str, &str)] = &[
    (
        "http_get",
        "url text, params jsonb DEFAULT '{}'::jsonb, headers jsonb DEFAULT '{}'::jsonb, \
                  timeout_milliseconds integer DEFAULT 2000",
        "bigint",
    ),
    (
        "http_post",
        "url text, body jsonb DEFAULT '{}'::jsonb, params jsonb DEFAULT '{}'::jsonb, \
                   headers jsonb DEFAULT '{\"Content-Type\": \"application/json\"}'::jsonb, \
                   timeout_milliseconds integer DEFAULT 2000",
        "bigint",
    ),
    (
        "http_delete",
        "url text, params jsonb DEFAULT '{}'::jsonb, headers jsonb DEFAULT '{}'::jsonb, \
                     timeout_milliseconds integer DEFAULT 2000, body jsonb DEFAULT NULL::jsonb",
        "bigint",
    ),
    ("worker_restart", "", "boolean"),
    ("wait_until_running", "", "void"),
    ("check_worker_is_up", "", "void"),
    ("wake", "", "void"),
    ("_http_collect_response", "request_id bigint, async boolean DEFAULT true", "net.http_response_result"),
    ("http_collect_response", "request_id bigint, async boolean DEFAULT true", "net.http_response_result"),
    ("_await_response", "request_id bigint", "boolean"),
    ("cancel", "request_id bigint", "boolean"),
    ("cancel", "request_ids bigint[]", "bigint"),
    ("await_response", "request_id bigint, timeout interval DEFAULT '00:00:30'::interval", "net.http_response_result"),
    (
        "await_responses",
        "request_ids bigint[], timeout interval DEFAULT '00:00:30'::interval",
        "TABLE(request_id bigint, status net.request_status, message text, response net.http_response)",
    ),
    ("_urlencode_string", "string character varying", "text"),
    ("_encode_url_with_params_array", "url text, params_array text[]", "text"),
];

#[test]
fn functions_have_the_signatures_of_the_contract() {
    let mut fixture = Fixture::new();
    let expected = |name: &str| {
        let of_name = SIGNATURES.iter().filter(|(other, ..)| *other == name);
        of_name.map(|&(_, arguments, result)| (arguments, result)).collect::<Vec<_>>()
    };
    for (name, ..) in SIGNATURES {
        let rows = fixture
            .client
            .query(
                "select pg_get_function_arguments(oid), pg_get_function_result(oid)
                   from pg_proc where pronamespace = 'net'::regnamespace and proname = $1 order by pronargs, oid",
                &[name],
            )
            .unwrap();
        let found: Vec<(&str, &str)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
        assert_eq!(found, expected(name), "{name}");
    }
}

/// They write: a null argument is an error and no null, and a parallel plan would fail.
#[test]
fn request_functions_are_volatile_and_parallel_unsafe_and_called_on_null() {
    let mut fixture = Fixture::new();
    let functions = "select count(*), bool_and(provolatile = 'v' and proparallel = 'u' and not proisstrict)
                       from pg_proc where pronamespace = 'net'::regnamespace and proname ~ '^http_(get|post|delete)$'";
    let row = fixture.client.query_one(functions, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, bool>(1)), (3, true));
}

/// So nothing of a user's can keep the worker from its rows, and an id may come again.
#[test]
fn no_other_table_can_refer_to_the_tables() {
    let mut fixture = Fixture::new();
    for (table, kind) in [("net.http_request_queue", "table"), ("net._http_response", "unlogged table")] {
        let columns = format!(
            "select array_agg(attname::text) from pg_attribute
              where attrelid = '{table}'::regclass and attnum > 0 and not attisdropped"
        );
        for column in fixture.value::<Vec<String>>(&columns) {
            let refer = format!(
                "create {kind} other as select {column} from {table};
                                 alter table other add foreign key ({column}) references {table} ({column})"
            );
            assert_eq!(error_of(&mut fixture.client, &refer).0, "42830", "{table}.{column}");
        }
        let unique = format!("select count(*) from pg_index where indrelid = '{table}'::regclass and indisunique");
        assert_eq!(fixture.value::<i64>(&unique), 0, "{table}");
    }
}

#[test]
fn operators_commands_on_the_signatures_work() {
    let mut fixture = Fixture::new();
    fixture
        .client
        .batch_execute(
            "create role caller;
             revoke all on function net.http_get(text, jsonb, jsonb, integer) from public;
             grant execute on function net.http_get(text, jsonb, jsonb, integer) to caller;
             alter function net.http_get(text, jsonb, jsonb, integer) security definer;
             alter function net.http_post(text, jsonb, jsonb, jsonb, integer) security definer;
             alter function net.http_post(text, jsonb, jsonb, jsonb, integer) set search_path = net;
             grant execute on function net.http_delete(text, jsonb, jsonb, integer, jsonb) to caller",
        )
        .unwrap();
    fixture.assert_works();
}

/// Columns in order with their types; ours come behind.
fn columns(fixture: &mut Fixture, table: &str, count: usize) -> String {
    let rows = fixture
        .client
        .query(
            "select attname || ' ' || format_type(atttypid, atttypmod) || case when attnotnull then ' not null' else '' end
               from pg_attribute where attrelid = $1::text::regclass and attnum > 0 order by attnum",
            &[&table],
        )
        .unwrap();
    rows.iter().take(count).map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join(", ")
}

#[test]
fn tables_have_the_columns_of_the_contract() {
    let mut fixture = Fixture::new();
    assert_eq!(
        columns(&mut fixture, "net.http_request_queue", 6),
        "id bigint not null, method net.http_method not null, url text not null, headers jsonb, body bytea, \
         timeout_milliseconds integer not null"
    );
    assert_eq!(
        columns(&mut fixture, "net._http_response", 8),
        "id bigint, status_code integer, content_type text, headers jsonb, content text, timed_out boolean, \
         error_msg text, created timestamp with time zone not null"
    );
}

#[test]
fn types_have_the_shape_of_the_contract() {
    let mut fixture = Fixture::new();
    assert_eq!(columns(&mut fixture, "net.http_response", 9), "status_code integer, headers jsonb, body text");
    assert_eq!(
        columns(&mut fixture, "net.http_response_result", 9),
        "status net.request_status, message text, response net.http_response"
    );
    let labels = "select enum_range(null::net.request_status)::text";
    assert_eq!(fixture.value::<String>(labels), "{PENDING,SUCCESS,ERROR}");
    for method in ["get", "Delete", "POST", "PATCH", "put"] {
        fixture.client.batch_execute(&format!("select '{method}'::net.http_method")).unwrap();
    }
}

#[test]
fn the_queue_works_under_a_publication_for_all_tables() {
    let cluster = testkit::Cluster::builder().conf("wal_level", "logical").start();
    cluster.connect().batch_execute("create extension pg_net; create publication everything for all tables").unwrap();
    let mut fixture = Fixture::with(cluster);
    fixture.assert_works();
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
}

#[test]
fn the_extension_may_be_created_with_another_schema() {
    let cluster = testkit::Cluster::builder().start();
    let mut client = cluster.connect();
    client.batch_execute("create schema extensions; create extension pg_net with schema extensions").unwrap();
    Fixture::with(cluster).assert_works();
}
