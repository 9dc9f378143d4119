//! A change of rules, or of who is a member of what, applies from its commit on, to sessions and to the worker.

use postgres::Client;
use testkit::{Call, PATIENCE, Receiver, wait_until};

use super::{REFUSED, assert_refused_as, insert_as, refusal, status};
use crate::fixture::{Fixture, major, value};

const DENY: &str = "insert into net.egress_rule (role, action) values ('app', 'deny')";

fn fixture() -> (Fixture, Client) {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role app login; create role group_of_apps").unwrap();
    let mut app = fixture.cluster.connect_as("app", "postgres");
    // The worker has read that there is no rule.
    assert_eq!(status(&mut app, &fixture.receiver.url("/")), Some(200));
    (fixture, app)
}

#[track_caller]
fn assert_app_refused(fixture: &mut Fixture, app: &mut Client) {
    let url = fixture.receiver.url("/");
    refusal(app, &url);
    assert_refused_as(fixture, "app", &url);
}

#[track_caller]
fn assert_app_allowed(fixture: &mut Fixture, app: &mut Client) {
    let url = fixture.receiver.url("/");
    assert_eq!(status(app, &url), Some(200));
    assert_eq!(insert_as(fixture, "app", &url).status_code, Some(200));
}

#[test]
fn egress_rules_apply_from_their_commit_until_they_are_deleted() {
    let (mut fixture, mut app) = fixture();
    for (change, back) in [
        (DENY, "delete from net.egress_rule"),
        (DENY, "truncate net.egress_rule"),
        (DENY, "update net.egress_rule set action = 'allow'"),
        (
            "copy net.egress_rule (role, action) from program 'echo app,deny' with (format csv)",
            "truncate net.egress_rule",
        ),
        // As a restore does it.
        (
            "set session_replication_role = replica; insert into net.egress_rule (action) values ('deny')",
            "truncate net.egress_rule; reset session_replication_role",
        ),
    ] {
        fixture.client.batch_execute("truncate net.egress_rule").unwrap();
        fixture.client.batch_execute(change).unwrap();
        let url = fixture.receiver.url("/");
        refusal(&mut app, &url);
        let mut direct = fixture.cluster.connect();
        let id: i64 = crate::fixture::value::<i64>(
            &mut direct,
            &format!(
                "insert into net.http_request_queue (method, url, timeout_milliseconds, requested_by)
                 values ('GET', '{url}', 5000, 'app'::regrole) returning id"
            ),
        );
        direct.batch_execute("select net.wake()").unwrap();
        testkit::response(&mut direct, id).assert_failure(REFUSED);
        fixture.client.batch_execute(back).unwrap();
        assert_app_allowed(&mut fixture, &mut app);
    }
}

#[test]
fn a_membership_applies_from_its_commit_until_it_is_revoked() {
    let (mut fixture, mut app) = fixture();
    fixture.client.batch_execute(&DENY.replace("'app'", "'group_of_apps'")).unwrap();
    assert_app_allowed(&mut fixture, &mut app);
    fixture.client.batch_execute("grant group_of_apps to app").unwrap();
    assert_app_refused(&mut fixture, &mut app);
    // Since Postgres 16 it is the membership that is inherited or not, and not all of a role's.
    let [without, with] = match major(&mut fixture.client) {
        ..16 => ["alter role app noinherit", "alter role app inherit"],
        _ => ["grant group_of_apps to app with inherit false", "grant group_of_apps to app with inherit true"],
    };
    fixture.client.batch_execute(without).unwrap();
    assert_app_allowed(&mut fixture, &mut app);
    fixture.client.batch_execute(with).unwrap();
    fixture.client.batch_execute("alter role group_of_apps rename to renamed").unwrap();
    assert_app_refused(&mut fixture, &mut app);
    fixture.client.batch_execute("revoke renamed from app").unwrap();
    assert_app_allowed(&mut fixture, &mut app);
}

#[test]
fn an_egress_rule_that_is_rolled_back_never_applies() {
    let (mut fixture, mut app) = fixture();
    let mut admin = fixture.cluster.connect();
    admin.batch_execute("begin; savepoint s").unwrap();
    admin.batch_execute("insert into net.egress_rule (action) values ('deny')").unwrap();
    assert_app_allowed(&mut fixture, &mut app);
    admin.batch_execute("rollback to s; commit").unwrap();
    assert_app_allowed(&mut fixture, &mut app);
}

#[test]
fn a_session_with_an_old_snapshot_obeys_new_rules() {
    let (mut fixture, mut app) = fixture();
    let url = fixture.receiver.url("/");
    for level in ["repeatable read", "serializable"] {
        app.batch_execute(&format!("begin isolation level {level}; select count(*) from net._http_response")).unwrap();
        fixture.client.batch_execute(DENY).unwrap();
        let id = Call::get(&url).send(&mut app);
        app.batch_execute("commit").unwrap();
        testkit::response(&mut app, id).assert_failure(REFUSED);
        refusal(&mut app, &url);
        fixture.client.batch_execute("truncate net.egress_rule").unwrap();
        assert_app_allowed(&mut fixture, &mut app);
    }
}

#[test]
fn a_connection_opened_before_a_rule_is_not_used_after_it() {
    let (mut fixture, mut app) = fixture();
    let (url, elsewhere) = (fixture.receiver.url("/"), Receiver::start());
    let before = fixture.receiver.connections();
    let rule = format!(
        "insert into net.egress_rule (role, action, port) values ('app', 'allow', {})",
        fixture.receiver.port()
    );
    fixture.client.batch_execute(&rule).unwrap();
    assert_eq!(status(&mut app, &url), Some(200));
    assert_eq!(fixture.receiver.connections(), before + 1);
    fixture.client.batch_execute(&format!("update net.egress_rule set port = {}", elsewhere.port())).unwrap();
    assert_refused_as(&mut fixture, "app", &url);
    assert_eq!(status(&mut app, &elsewhere.url("/")), Some(200));
}

/// The worker waits for the queue and claims what came meanwhile: under the rules that came meanwhile, too.
#[test]
fn a_rule_that_commits_while_the_worker_waits_for_the_queue_binds_what_comes_after_it() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role bound").unwrap();
    fixture.assert_works();
    let url = fixture.receiver.url("/denied");
    let mut locker = fixture.cluster.connect();
    locker.batch_execute("begin; lock table net.http_request_queue in access exclusive mode").unwrap();
    fixture.client.batch_execute("select net.wake()").unwrap();
    wait_until("the worker waiting for the lock", PATIENCE, || {
        fixture.value::<bool>("select count(*) > 0 from pg_locks where not granted")
    });
    // A session that knows no rule yet inserts the row, behind the rule that forbids it.
    let id: i64 = value(
        &mut locker,
        &format!(
            "with asked as (insert into net.http_request_queue (method, url, timeout_milliseconds, requested_by)
                            values ('GET', '{url}', 5000, 'bound'::regrole) returning id)
             select id from asked"
        ),
    );
    locker.batch_execute("insert into net.egress_rule (role, action) values ('bound', 'deny'); commit").unwrap();
    fixture.client.batch_execute("select net.wake()").unwrap();
    fixture.response(id).assert_failure("Refused by the egress policy");
    assert!(fixture.receiver.requests().iter().all(|request| request.path() != "/denied"));
}
