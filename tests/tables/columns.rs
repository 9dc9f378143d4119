//! The columns of the tables stand in the code once, as the catalog has them.

use std::fs;
use std::path::Path;

use postgres::Client;
use testkit::Cluster;

/// Name of each column, and its type where the code has it, of a module of `pg/catalog/schema.rs`.
fn in_code(module: &str) -> Vec<(String, Option<&'static str>)> {
    let top = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the top of the tree");
    let text = fs::read_to_string(top.join("pg_net/src/pg/catalog/schema.rs")).expect("read schema.rs");
    let start = text.find(&format!("pub(crate) mod {module} {{")).expect("the module");
    let lines = text[start..].lines().skip_while(|line| !line.contains("columns!"));
    let lines = lines.skip(1).take_while(|line| !line.trim().starts_with([')', '}']));
    let column = |line: &str| {
        let line = line.trim().trim_end_matches(',');
        let (name, of_type) = line.split_once(": ").unwrap_or((line, ""));
        (name.to_owned(), (!of_type.is_empty()).then(|| sql_type(of_type)))
    };
    lines.map(column).collect()
}

fn sql_type(element: &str) -> &'static str {
    match element {
        "Bool" => "boolean",
        "Int4" => "integer",
        "Int8" => "bigint",
        "Float4" => "real",
        "Timestamp" => "timestamp with time zone",
        "Oid" => "oid",
        "Text" => "text",
        "Bytea" => "bytea",
        "Jsonb" => "jsonb",
        other => panic!("{other} is no element type"),
    }
}

fn in_catalog(client: &mut Client, table: &str) -> Vec<(String, String)> {
    let rows = client.query(
        "select attname::text, format_type(atttypid, -1) from pg_attribute \
         where attrelid = $1::text::regclass and attnum > 0 and not attisdropped order by attnum",
        &[&format!("net.{table}")],
    );
    rows.unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn compare(code: Vec<(String, Option<&'static str>)>, catalog: Vec<(String, String)>) {
    let names = |columns: &[(String, String)]| columns.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>();
    let in_code: Vec<_> = code.iter().map(|(name, _)| name.clone()).collect();
    assert_eq!(in_code, names(&catalog));
    for ((name, wanted), (_, found)) in code.iter().zip(&catalog) {
        assert!(wanted.is_none_or(|wanted| wanted == found), "{name}: {wanted:?} in the code, {found} in the catalog");
    }
}

#[test]
fn of_the_queue_the_responses_and_the_dead_letter_are_those_of_the_catalog() {
    let cluster = Cluster::start_default();
    let mut client = cluster.connect();
    assert!(in_code("queue").len() > 10);
    compare(in_code("queue"), in_catalog(&mut client, "http_request_queue"));
    let created = || ("created".to_owned(), Some("timestamp with time zone"));
    let mut responses = in_code("response");
    responses.insert(7, created());
    compare(responses, in_catalog(&mut client, "_http_response"));
    let mut dead_letter = in_code("dead_letter");
    dead_letter.push(created());
    compare(dead_letter, in_catalog(&mut client, "dead_letter"));
}

#[test]
fn a_held_response_has_those_of_a_response_and_its_own() {
    let cluster = Cluster::start_default();
    let mut held = in_catalog(&mut cluster.connect(), "_held_response");
    held.sort();
    let mut code = in_code("response");
    code.extend(in_code("held"));
    code.sort();
    compare(code, held);
}
