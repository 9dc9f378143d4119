//! The rules are the user's data: they are in a dump, and apply where it is restored.

use crate::fixture::{Fixture, value};

use super::refusal;

const RULES: &str = "select jsonb_agg(to_jsonb(r) order by id)::text from net.egress_rule r";

#[test]
fn egress_rules_survive_dump_and_restore() {
    let mut fixture = Fixture::new();
    fixture
        .client
        .batch_execute(
            "create role \"Odd name\" login;
             insert into net.egress_rule (role, action, host, network, port, comment) values
                ('\"Odd name\"', 'allow', '*.example.com', '10.0.0.0/8', 443, 'partners'),
                (null, 'deny', null, 'fd00::/8', null, null),
                (null, 'deny', 'bad.example', null, null, E'a\\ttab')",
        )
        .unwrap();
    fixture.client.batch_execute("create database restored").unwrap();
    fixture.cluster.run("pg_dump", &["--file", "rules.sql"]);
    fixture.cluster.run("psql", &["-X", "-q", "-v", "ON_ERROR_STOP=1", "-d", "restored", "-f", "rules.sql"]);
    let mut restored = fixture.cluster.connect_as("postgres", "restored");
    assert_eq!(value::<String>(&mut restored, RULES), fixture.value::<String>(RULES));
    // Ids go on behind those that were restored.
    let id: i32 = value(&mut restored, "insert into net.egress_rule (action, port) values ('deny', 1) returning id");
    assert_eq!(id, 4);
    assert_eq!(refusal(&mut restored, "http://bad.example/"), "egress rule 3 denies it");
}
