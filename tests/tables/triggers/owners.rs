//! The tables belong to others than the extension, one or all of them: everything goes on.

use serde_json::json;
use testkit::{Call, PATIENCE, wait_until};

use super::{fixture, run};
use crate::fixture::{Fixture, value};

/// Uses all there is.
#[track_caller]
fn assert_everything_works(fixture: &mut Fixture, what: &str) {
    let mut web = fixture.cluster.connect_as("web", "postgres");
    for _ in 0..2 {
        fixture.assert_works();
    }
    let url = fixture.receiver.url("/x");
    let id = Call::post(&url).json(json!({})).send(&mut web);
    let answered = value::<String>(&mut web, &format!("select (net.await_response({id})).status::text"));
    assert_eq!(answered, "SUCCESS", "{what}");
    let later = Call::request("GET", &url).not_before("now() + interval '1 hour'").send(&mut web);
    assert_eq!(
        value::<i64>(&mut web, &format!("select count(*) from net.http_request_queue where id = {later}")),
        1,
        "{what}"
    );
    assert!(value::<bool>(&mut web, &format!("select net.cancel({later})")), "{what}");
    let once = Call::request("GET", &url).at_most_once().send(&mut web);
    assert_eq!(fixture.response(once).status_code, Some(200), "{what}");
    let failing = fixture.receiver.url("/status/503");
    let dead = Call::request("GET", &failing).max_attempts(2).send(&mut web);
    assert_eq!(fixture.response(dead).status_code, Some(503), "{what}");
    assert!(value::<bool>(&mut web, &format!("select net.retry({dead})")), "{what}");
    wait_until("the second outcome", PATIENCE, || {
        fixture.value::<i64>(&format!("select count(*) from net.dead_letter where id = {dead}")) == 1
    });
    run(
        &mut fixture.client,
        "update net._http_response set created = created - interval '7 hours'; alter role postgres set pg_net.ttl = '6 hours'",
    );
    run(&mut fixture.client, "select net.worker_restart()");
    wait_until("the responses to expire", PATIENCE, || {
        fixture.value::<i64>("select count(*) from net._http_response") == 0
    });
    let rule = "insert into net.egress_rule (role, action, host) values ('web', 'deny', 'closed.example')";
    run(&mut fixture.client, rule);
    let refused = Call::get("http://closed.example/").send(&mut web);
    fixture.response(refused).assert_failure("Refused by the egress policy");
    run(&mut fixture.client, "delete from net.egress_rule");
    let owner: String =
        fixture.value("select relowner::regrole::text from pg_class where oid = 'net.http_request_queue'::regclass");
    run(
        &mut fixture.client,
        &format!("set session authorization {owner}; select net.set_queue_logged(false), net.set_queue_logged(true)"),
    );
    run(&mut fixture.client, "reset session authorization");
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0, "{what}");
    assert!(!fixture.cluster.log().contains("will try again"), "{what}: {}", fixture.cluster.log());
}

#[test]
fn case_07a_tables_of_a_plain_role_are_served() {
    for give in [
        "alter table net.http_request_queue owner to app",
        "alter table net._http_response owner to app",
        "alter table net.dead_letter owner to app",
        "alter table net.egress_rule owner to app",
        "alter table net._home owner to app; alter table net._held_response owner to app",
        "alter table net.http_request_queue owner to app; alter table net._http_response owner to anon; alter table net.dead_letter owner to web",
        "reassign owned by supa to app",
    ] {
        let mut fixture = fixture();
        run(&mut fixture.client, give);
        assert_everything_works(&mut fixture, give);
    }
}

/// With code on each of them, of its owner.
#[test]
fn case_07a_code_on_tables_of_different_owners_runs_as_each() {
    let mut fixture = fixture();
    run(
        &mut fixture.client,
        "create table public.runs (relation text, what text, who text); grant insert on public.runs to public",
    );
    for (table, owner) in
        [("http_request_queue", "app"), ("_http_response", "anon"), ("dead_letter", "web"), ("_home", "app")]
    {
        run(&mut fixture.client, &format!("alter table net.{table} owner to {owner}"));
        let mut owner = fixture.cluster.connect_as(owner, "postgres");
        run(
            &mut owner,
            &format!(
                "create function on{table}() returns trigger language plpgsql as $$
                 begin
                     insert into public.runs values (tg_table_name, tg_op, current_user);
                     return coalesce(new, old);
                 end $$;
                 create trigger mine before insert or update or delete on net.{table} for each row execute function on{table}()"
            ),
        );
    }
    assert_everything_works(&mut fixture, "code on each");
    let runs: Vec<(String, String)> = fixture
        .client
        .query(
            "select relation || ' ' || what, string_agg(distinct who, ' ') from public.runs group by 1 order by 1",
            &[],
        )
        .unwrap()
        .iter()
        .map(|row| (row.get(0), row.get(1)))
        .collect();
    let expected = [
        ("_http_response DELETE", "anon"),
        ("_http_response INSERT", "anon"),
        ("_http_response UPDATE", "anon"),
        ("dead_letter DELETE", "web"),
        ("dead_letter INSERT", "web"),
        ("http_request_queue DELETE", "app"),
        ("http_request_queue INSERT", "app"),
        ("http_request_queue UPDATE", "app"),
    ];
    assert_eq!(runs, expected.map(|(what, who)| (what.to_owned(), who.to_owned())));
}
