//! A change of rules, or of who is a member of what, applies from its commit on, to sessions and to the worker.

use postgres::Client;
use testkit::{PATIENCE, Receiver, wait_until};

use super::{REFUSED, assert_refused_as, insert_as, refusal, status};
use crate::support::{Bench, major, value};

const DENY: &str = "insert into net.egress_rule (role, action) values ('app', 'deny')";

fn bench() -> (Bench, Client) {
    let mut bench = Bench::new();
    bench.client.batch_execute("create role app login; create role group_of_apps").unwrap();
    let mut app = bench.cluster.connect_as("app", "postgres");
    // The worker has read that there is no rule.
    assert_eq!(status(&mut app, &bench.receiver.url("/")), Some(200));
    (bench, app)
}

#[track_caller]
fn assert_app_refused(bench: &mut Bench, app: &mut Client) {
    let url = bench.receiver.url("/");
    refusal(app, &url);
    assert_refused_as(bench, "app", &url);
}

#[track_caller]
fn assert_app_allowed(bench: &mut Bench, app: &mut Client) {
    let url = bench.receiver.url("/");
    assert_eq!(status(app, &url), Some(200));
    assert_eq!(insert_as(bench, "app", &url).status_code, Some(200));
}

#[test]
fn rules_come_and_go() {
    let (mut bench, mut app) = bench();
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
        bench.client.batch_execute("truncate net.egress_rule").unwrap();
        bench.client.batch_execute(change).unwrap();
        let url = bench.receiver.url("/");
        refusal(&mut app, &url);
        let mut direct = bench.cluster.connect();
        let id: i64 = crate::support::ask(
            &mut direct,
            &format!(
                "insert into net.http_request_queue (method, url, timeout_milliseconds, requested_by)
                 values ('GET', '{url}', 5000, 'app'::regrole) returning id"
            ),
        );
        direct.batch_execute("select net.wake()").unwrap();
        testkit::response(&mut direct, id).assert_failure(REFUSED);
        bench.client.batch_execute(back).unwrap();
        assert_app_allowed(&mut bench, &mut app);
    }
}

#[test]
fn memberships_come_and_go() {
    let (mut bench, mut app) = bench();
    bench.client.batch_execute(&DENY.replace("'app'", "'group_of_apps'")).unwrap();
    assert_app_allowed(&mut bench, &mut app);
    bench.client.batch_execute("grant group_of_apps to app").unwrap();
    assert_app_refused(&mut bench, &mut app);
    // Since Postgres 16 it is the membership that is inherited or not, and not all of a role's.
    let [without, with] = match major(&mut bench.client) {
        ..16 => ["alter role app noinherit", "alter role app inherit"],
        _ => ["grant group_of_apps to app with inherit false", "grant group_of_apps to app with inherit true"],
    };
    bench.client.batch_execute(without).unwrap();
    assert_app_allowed(&mut bench, &mut app);
    bench.client.batch_execute(with).unwrap();
    bench.client.batch_execute("alter role group_of_apps rename to renamed").unwrap();
    assert_app_refused(&mut bench, &mut app);
    bench.client.batch_execute("revoke renamed from app").unwrap();
    assert_app_allowed(&mut bench, &mut app);
}

#[test]
fn what_is_rolled_back_never_applied() {
    let (mut bench, mut app) = bench();
    let mut admin = bench.cluster.connect();
    admin.batch_execute("begin; savepoint s").unwrap();
    admin.batch_execute("insert into net.egress_rule (action) values ('deny')").unwrap();
    assert_app_allowed(&mut bench, &mut app);
    admin.batch_execute("rollback to s; commit").unwrap();
    assert_app_allowed(&mut bench, &mut app);
}

#[test]
fn a_session_with_an_old_snapshot_obeys_new_rules() {
    let (mut bench, mut app) = bench();
    let url = bench.receiver.url("/");
    for level in ["repeatable read", "serializable"] {
        app.batch_execute(&format!("begin isolation level {level}; select count(*) from net._http_response")).unwrap();
        bench.client.batch_execute(DENY).unwrap();
        let id = crate::support::ask(&mut app, &format!("select net.http_get('{url}')"));
        app.batch_execute("commit").unwrap();
        testkit::response(&mut app, id).assert_failure(REFUSED);
        refusal(&mut app, &url);
        bench.client.batch_execute("truncate net.egress_rule").unwrap();
        assert_app_allowed(&mut bench, &mut app);
    }
}

#[test]
fn a_connection_opened_before_is_not_used_after() {
    let (mut bench, mut app) = bench();
    let (url, elsewhere) = (bench.receiver.url("/"), Receiver::start());
    let before = bench.receiver.connections();
    let rule =
        format!("insert into net.egress_rule (role, action, port) values ('app', 'allow', {})", bench.receiver.port());
    bench.client.batch_execute(&rule).unwrap();
    assert_eq!(status(&mut app, &url), Some(200));
    assert_eq!(bench.receiver.connections(), before + 1);
    bench.client.batch_execute(&format!("update net.egress_rule set port = {}", elsewhere.port())).unwrap();
    assert_refused_as(&mut bench, "app", &url);
    assert_eq!(status(&mut app, &elsewhere.url("/")), Some(200));
}

/// The worker waits for the queue and claims what came meanwhile: under the rules that came meanwhile, too.
#[test]
fn a_rule_that_commits_while_the_worker_waits_for_the_queue_binds_what_comes_after_it() {
    let mut bench = Bench::new();
    bench.client.batch_execute("create role bound").unwrap();
    bench.assert_works();
    let url = bench.receiver.url("/denied");
    let mut locker = bench.cluster.connect();
    locker.batch_execute("begin; lock table net.http_request_queue in access exclusive mode").unwrap();
    bench.client.batch_execute("select net.wake()").unwrap();
    wait_until("the worker waiting for the lock", PATIENCE, || {
        bench.value::<bool>("select count(*) > 0 from pg_locks where not granted")
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
    bench.client.batch_execute("select net.wake()").unwrap();
    bench.response(id).assert_failure("Refused by the egress policy");
    assert!(bench.receiver.requests().iter().all(|request| request.path() != "/denied"));
}
