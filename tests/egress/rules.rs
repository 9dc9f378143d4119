//! The rules of `net.egress_rule`.

use testkit::Receiver;

use super::{assert_refused_as, refusal, status};
use crate::support::{Bench, error_of};

/// A bench, a second receiver, and roles: `app` may call the bench's receiver alone.
fn bench() -> (Bench, Receiver) {
    let mut bench = Bench::new();
    let port = bench.receiver.port();
    bench
        .client
        .batch_execute(&format!(
            "create role app login;
             create role other login;
             create role heir login in role app;
             create role heirs_heir login in role heir;
             create role outsider login noinherit in role app;
             create role boss login superuser;
             insert into net.egress_rule (role, action, port) values ('app', 'allow', {port})"
        ))
        .unwrap();
    (bench, Receiver::start())
}

#[test]
fn a_role_with_rules_and_its_members_call_what_these_allow() {
    let (mut bench, elsewhere) = bench();
    let allowed = bench.receiver.url("/");
    for role in ["app", "heir", "heirs_heir"] {
        let mut client = bench.cluster.connect_as(role, "postgres");
        assert_eq!(status(&mut client, &allowed), Some(200), "{role}");
        assert_eq!(refusal(&mut client, &elsewhere.url("/")), "no egress rule of the role allows it", "{role}");
        // Also a row that was made by hand.
        assert_refused_as(&mut bench, role, &elsewhere.url("/"));
        let redirect = bench.receiver.url(&format!("/redirect/302?to={}", elsewhere.url("/")));
        assert_eq!(status(&mut client, &redirect), None, "{role}");
    }
    assert_eq!(elsewhere.connections(), 0);
    // A superuser has everybody's rights, and nobody's rules; a member that does not inherit is not the role.
    for role in ["other", "outsider", "boss", "postgres"] {
        let mut client = bench.cluster.connect_as(role, "postgres");
        assert_eq!(status(&mut client, &elsewhere.url("/")), Some(200), "{role}");
    }
    let mut outsider = bench.cluster.connect_as("outsider", "postgres");
    outsider.batch_execute("set role app").unwrap();
    refusal(&mut outsider, &elsewhere.url("/"));
}

#[test]
fn a_denial_outweighs_and_is_for_all_where_it_names_no_role() {
    let (mut bench, elsewhere) = bench();
    let port = bench.receiver.port();
    bench
        .client
        .batch_execute(&format!(
            "insert into net.egress_rule (id, action, host, port) overriding system value values (77, 'deny', 'localhost', {port})"
        ))
        .unwrap();
    for role in ["app", "other", "boss"] {
        let mut client = bench.cluster.connect_as(role, "postgres");
        let url = bench.receiver.url("/");
        assert_eq!(status(&mut client, &url), Some(200), "{role}");
        let denied = url.replace("127.0.0.1", "localhost");
        assert_eq!(refusal(&mut client, &denied), "egress rule 77 denies it", "{role}");
        assert_refused_as(&mut bench, role, &denied);
    }
    // What is allowed for all opens nothing to those with rules of their own.
    bench.client.batch_execute("insert into net.egress_rule (action) values ('allow')").unwrap();
    let mut app = bench.cluster.connect_as("app", "postgres");
    refusal(&mut app, &elsewhere.url("/"));
}

#[test]
fn a_connection_is_not_reused_under_another_roles_rules() {
    let (mut bench, _elsewhere) = bench();
    let port = bench.receiver.port();
    let rule = format!("insert into net.egress_rule (role, action, port) values ('other', 'allow', {port})");
    bench.client.batch_execute(&rule).unwrap();
    let url = bench.receiver.url("/");
    let mut connections = Vec::new();
    for role in ["app", "other", "postgres", "app", "other", "postgres"] {
        let mut client = bench.cluster.connect_as(role, "postgres");
        assert_eq!(status(&mut client, &url), Some(200));
        connections.push(bench.receiver.requests().last().unwrap().connection);
    }
    assert_eq!(connections, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn only_the_owner_sees_and_makes_rules() {
    let (bench, _elsewhere) = bench();
    let mut app = bench.cluster.connect_as("app", "postgres");
    for statement in [
        "select * from net.egress_rule",
        "insert into net.egress_rule (action) values ('allow')",
        "update net.egress_rule set action = 'allow'",
        "delete from net.egress_rule",
        "truncate net.egress_rule",
        "create trigger t before insert on net.egress_rule for each row execute function net._assign_row_key()",
        "alter table net.egress_rule disable trigger all",
    ] {
        assert_eq!(error_of(&mut app, statement).0, "42501", "{statement}");
    }
}

#[test]
fn what_is_no_rule_is_refused_when_it_is_made() {
    let mut bench = Bench::new();
    for (columns, values, state) in [
        ("action", "'maybe'", "23514"),
        ("action", "null", "23502"),
        ("action, role", "'allow', 'nobody_of_that_name'", "42704"),
        ("action, role", "'allow', '-'", "23514"),
        ("action, host", "'deny', 'a b'", "22023"),
        ("action, host", "'deny', '*'", "22023"),
        ("action, host", "'deny', 'a.*.example'", "22023"),
        ("action, host", "'deny', '10.0.0.1'", "22023"),
        ("action, host", "'deny', '[::1]'", "22023"),
        ("action, network", "'deny', '10.0.0.1/8'", "22P02"),
        ("action, port", "'deny', 0", "23514"),
        ("action, port", "'deny', 65536", "23514"),
    ] {
        let statement = format!("insert into net.egress_rule ({columns}) values ({values})");
        assert_eq!(error_of(&mut bench.client, &statement).0, state, "{statement}");
    }
    bench
        .client
        .batch_execute("insert into net.egress_rule (action, host, comment) values ('deny', '*.Bücher.example', 'why')")
        .unwrap();
    bench.assert_works();
    let why = refusal(&mut bench.client, "http://a.xn--bcher-kva.example/");
    assert!(why.ends_with("denies it"), "{why}");
}
