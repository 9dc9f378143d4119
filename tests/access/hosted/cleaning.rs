//! Nightly jobs: roles remove and blank what is theirs.

use postgres::Client;
use testkit::{Call, PATIENCE, wait_until};

use super::{platform, web_and_anon};
use crate::fixture::{Fixture, error_of};

/// Sends a request for a role, and waits for its response.
fn answered(fixture: &mut Fixture, client: &mut Client) -> i64 {
    let url = fixture.receiver.url("/answer");
    let id = Call::get(&url).send(client);
    fixture.response(id);
    id
}

#[test]
fn case_01_a_role_removes_and_blanks_its_own_responses() {
    let mut fixture = platform();
    let [mut web, mut anon] = web_and_anon(&fixture);
    let mine = [answered(&mut fixture, &mut web), answered(&mut fixture, &mut web)];
    let others = answered(&mut fixture, &mut anon);
    fixture.client.batch_execute("update net._http_response set created = created - interval '2 hours'").unwrap();

    let blank =
        format!("update net._http_response set content = null, headers = null where id in ({}, {others})", mine[0]);
    assert_eq!(web.execute(&blank, &[]).unwrap(), 1, "the other role's is out of reach");
    let blanked = format!(
        "select content is null and headers is null and status_code = 200 from net._http_response where id = {}",
        mine[0]
    );
    assert!(fixture.value::<bool>(&blanked));
    for forged in ["id = 1", "requested_by = 'anon'::regrole", "requested_by = null"] {
        assert_eq!(error_of(&mut web, &format!("update net._http_response set {forged}")).0, "42501", "{forged}");
    }

    let clean = "delete from net._http_response where created < now() - interval '1 hour'";
    assert_eq!(web.execute(clean, &[]).unwrap(), 2);
    let left: Vec<i64> = fixture.value("select array_agg(id) from net._http_response");
    assert_eq!(left, [others]);
    assert_eq!(anon.execute(clean, &[]).unwrap(), 1);
    fixture.assert_works();
}

#[test]
fn case_01_a_role_removes_its_own_dead_letters_and_no_others() {
    let mut fixture = platform();
    let [mut web, _] = web_and_anon(&fixture);
    fixture
        .client
        .batch_execute(
            "insert into net.dead_letter (id, method, url, timeout_milliseconds, requested_by, max_attempts, attempts)
             select 1, 'GET', 'http://a/', 1, oid, 2, 2 from pg_roles where rolname in ('web', 'anon')",
        )
        .unwrap();
    assert_eq!(web.execute("delete from net.dead_letter", &[]).unwrap(), 1);
    assert_eq!(fixture.value::<String>("select requested_by::regrole::text from net.dead_letter"), "anon");
    assert_eq!(error_of(&mut web, "update net.dead_letter set url = 'http://b/'").0, "42501");
}

/// Roles that have the rights of another clean up for it, as they see its rows.
#[test]
fn case_01_a_member_cleans_up_for_its_role() {
    let mut fixture = platform();
    fixture.client.batch_execute("create role janitor login in role web").unwrap();
    let [mut web, mut anon] = web_and_anon(&fixture);
    answered(&mut fixture, &mut web);
    answered(&mut fixture, &mut anon);
    let mut janitor = fixture.cluster.connect_as("janitor", "postgres");
    assert_eq!(janitor.execute("delete from net._http_response", &[]).unwrap(), 1);
    assert_eq!(fixture.value::<String>("select requested_by::regrole::text from net._http_response"), "anon");
}

/// The rows that a role deletes, and has not committed, or keeps locked: expiry goes past them.
#[test]
fn case_01_a_role_that_holds_its_responses_locked_stops_no_expiry() {
    for hold in ["select from net._http_response for update", "delete from net._http_response"] {
        let mut fixture = platform();
        let [mut web, mut anon] = web_and_anon(&fixture);
        let held = answered(&mut fixture, &mut web);
        answered(&mut fixture, &mut anon);
        let mut transaction = web.transaction().unwrap();
        transaction.batch_execute(hold).unwrap();
        fixture.cluster.alter_system("pg_net.ttl", "0");
        wait_until("the others to expire", PATIENCE, || ids(&mut fixture) == [held]);
        transaction.rollback().unwrap();
        wait_until("the row that was held to expire", PATIENCE, || ids(&mut fixture).is_empty());
    }
}

fn ids(fixture: &mut Fixture) -> Vec<i64> {
    fixture.value("select coalesce(array_agg(id), '{}') from net._http_response")
}

#[test]
fn case_03_the_owner_lets_one_role_truncate() {
    let mut fixture = platform();
    let mut app = fixture.cluster.connect_as("app", "postgres");
    let [mut web, _] = web_and_anon(&fixture);
    for table in ["net._http_response", "net.http_request_queue"] {
        let error = app.batch_execute(&format!("truncate {table}")).unwrap_err();
        let error = error.as_db_error().unwrap();
        assert_eq!(error.code().code(), "42501");
        assert!(error.hint().unwrap().contains("net.restore_open_access"), "{error:?}");
    }
    let supas = "set role supa; select net.restore_open_access('app'); reset role";
    fixture.client.batch_execute(supas).unwrap();
    answered(&mut fixture, &mut web);
    app.batch_execute("truncate net._http_response; truncate net.http_request_queue").unwrap();
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 0);
    assert_eq!(error_of(&mut web, "truncate net._http_response").0, "42501");
    fixture.assert_works();
}
