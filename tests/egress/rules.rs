//! The rules of `net.egress_rule`.

use testkit::Receiver;

use super::{assert_refused_as, refusal, status};
use crate::fixture::{Fixture, error_of};

/// A fixture, a second receiver, and roles: `app` may call the fixture's receiver alone.
fn fixture() -> (Fixture, Receiver) {
    let mut fixture = Fixture::new();
    let port = fixture.receiver.port();
    fixture
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
    (fixture, Receiver::start())
}

#[test]
fn a_role_with_rules_and_its_members_call_what_these_allow() {
    let (mut fixture, elsewhere) = fixture();
    let allowed = fixture.receiver.url("/");
    for role in ["app", "heir", "heirs_heir"] {
        let mut client = fixture.cluster.connect_as(role, "postgres");
        assert_eq!(status(&mut client, &allowed), Some(200), "{role}");
        assert_eq!(refusal(&mut client, &elsewhere.url("/")), "no egress rule of the role allows it", "{role}");
        // Also a row that was made by hand.
        assert_refused_as(&mut fixture, role, &elsewhere.url("/"));
        let redirect = fixture.receiver.url(&format!("/redirect/302?to={}", elsewhere.url("/")));
        assert_eq!(status(&mut client, &redirect), None, "{role}");
    }
    assert_eq!(elsewhere.connections(), 0);
    // A superuser has the rights of all roles, but no role's rules; a member that does not inherit is not the role.
    for role in ["other", "outsider", "boss", "postgres"] {
        let mut client = fixture.cluster.connect_as(role, "postgres");
        assert_eq!(status(&mut client, &elsewhere.url("/")), Some(200), "{role}");
    }
    let mut outsider = fixture.cluster.connect_as("outsider", "postgres");
    outsider.batch_execute("set role app").unwrap();
    refusal(&mut outsider, &elsewhere.url("/"));
}

#[test]
fn a_denial_outweighs_and_is_for_all_where_it_names_no_role() {
    let (mut fixture, elsewhere) = fixture();
    let port = fixture.receiver.port();
    fixture
        .client
        .batch_execute(&format!(
            "insert into net.egress_rule (id, action, host, port) overriding system value values (77, 'deny', 'localhost', {port})"
        ))
        .unwrap();
    for role in ["app", "other", "boss"] {
        let mut client = fixture.cluster.connect_as(role, "postgres");
        let url = fixture.receiver.url("/");
        assert_eq!(status(&mut client, &url), Some(200), "{role}");
        let denied = url.replace("127.0.0.1", "localhost");
        assert_eq!(refusal(&mut client, &denied), "egress rule 77 denies it", "{role}");
        assert_refused_as(&mut fixture, role, &denied);
    }
    // What is allowed for all opens nothing to those with rules of their own.
    fixture.client.batch_execute("insert into net.egress_rule (action) values ('allow')").unwrap();
    let mut app = fixture.cluster.connect_as("app", "postgres");
    refusal(&mut app, &elsewhere.url("/"));
}

#[test]
fn a_connection_is_not_reused_under_another_roles_rules() {
    let (mut fixture, _elsewhere) = fixture();
    let port = fixture.receiver.port();
    let rule = format!("insert into net.egress_rule (role, action, port) values ('other', 'allow', {port})");
    fixture.client.batch_execute(&rule).unwrap();
    let url = fixture.receiver.url("/");
    let mut connections = Vec::new();
    for role in ["app", "other", "postgres", "app", "other", "postgres"] {
        let mut client = fixture.cluster.connect_as(role, "postgres");
        assert_eq!(status(&mut client, &url), Some(200));
        connections.push(fixture.receiver.requests().last().unwrap().connection);
    }
    assert_eq!(connections, [0, 1, 2, 0, 1, 2]);
}

#[test]
fn only_the_owner_sees_and_makes_rules() {
    let (fixture, _elsewhere) = fixture();
    let mut app = fixture.cluster.connect_as("app", "postgres");
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
fn an_invalid_egress_rule_is_refused_when_it_is_inserted() {
    let mut fixture = Fixture::new();
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
        assert_eq!(error_of(&mut fixture.client, &statement).0, state, "{statement}");
    }
    fixture
        .client
        .batch_execute("insert into net.egress_rule (action, host, comment) values ('deny', '*.Bücher.example', 'why')")
        .unwrap();
    fixture.assert_works();
    let why = refusal(&mut fixture.client, "http://a.xn--bcher-kva.example/");
    assert!(why.ends_with("denies it"), "{why}");
}
