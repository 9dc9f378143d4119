//! Passwords, tokens, cookies, queries and bodies stay between who asks and who answers.

use postgres::Client;
use serde_json::json;
use testkit::{Call, Cluster, Receiver};

use crate::fixture::{Fixture, error_of, value};

/// Part of every secret here.
const SECRET: &str = "hunter2";

/// A server that logs all that Postgres can log of itself, but no statements.
fn fixture() -> Fixture {
    let cluster = Cluster::builder()
        .conf("log_min_messages", "debug5")
        .conf("log_statement", "none")
        .conf("log_error_verbosity", "verbose")
        .start_ready();
    Fixture::with(cluster)
}

/// Asks with a secret in every place that can hold one; the values are parameters, so that the statement holds none.
#[track_caller]
fn post(client: &mut Client, url: &str) -> i64 {
    let headers = json!({
        "Authorization": format!("Bearer {SECRET}"),
        "Cookie": format!("session={SECRET}"),
        "Proxy-Authorization": format!("Basic {SECRET}"),
        "X-Api-Key": SECRET,
    });
    let body = json!({ "password": SECRET });
    let params = json!({ "token": SECRET });
    let call = "select net.http_post($1::text, $2::jsonb, $3::jsonb, $4::jsonb, 2000)";
    client.query_one(call, &[&url, &body, &params, &headers]).expect("a request").get(0)
}

fn with_password(url: &str) -> String {
    url.replacen("http://", &format!("http://user:{SECRET}@"), 1)
}

#[track_caller]
fn assert_not_logged(fixture: &Fixture) {
    let log = fixture.cluster.log();
    assert!(log.contains("DEBUG:"), "the log is as full as it can be");
    let told: Vec<_> = log.lines().filter(|line| line.contains(SECRET)).collect();
    assert!(told.is_empty(), "{told:#?}");
}

#[test]
fn secrets_are_not_logged_whatever_becomes_of_the_request() {
    let mut fixture = fixture();
    let refused = Receiver::refused_port();
    let paths = [
        "/echo",
        "/status/500",
        "/hang",
        "/close",
        "/reset",
        "/reset-body",
        "/garbage",
        "/truncate",
        "/no-colon",
        "/redirect-loop",
        "/redirect/302?to=ftp://user:hunter2@127.0.0.1/hunter2",
        "/redirect/302?to=/echo?hunter2",
    ];
    let urls = paths.map(|path| fixture.receiver.url(path));
    let others = [refused.url("/"), fixture.receiver.url("/").replace("http:", "https:")];
    for url in urls.iter().chain(&others) {
        let id = post(&mut fixture.client, &with_password(url));
        let answer = fixture.response(id);
        let message = answer.error_msg.unwrap_or_default();
        assert!(!message.contains(SECRET), "{url}: {message}");
    }
    // What a direct insert brings is found wanting by the worker.
    let rows = [
        (with_password(&fixture.receiver.url("/ /")).replace("127.0.0.1", "127 0 0 1"), json!({})),
        (with_password(&fixture.receiver.url("/")), json!({ "Authorization": format!("{SECRET}\n") })),
        (with_password(&fixture.receiver.url("/")), json!({ "X-A": "a", "x a": SECRET })),
        (with_password(&fixture.receiver.url("/")), json!(SECRET)),
        (format!("ftp://user:{SECRET}@127.0.0.1/?{SECRET}"), json!({})),
    ];
    for (url, headers) in rows {
        let insert = "insert into net.http_request_queue (method, url, headers, body, timeout_milliseconds)
                      values ('GET', $1, $2, 'hunter2', 500) returning id";
        let id = fixture.client.query_one(&insert.replace("'hunter2'", "$3"), &[&url, &headers, &SECRET.as_bytes()]);
        let id = id.expect("a row").get(0);
        fixture.client.batch_execute("select net.wake()").unwrap();
        let answer = fixture.response(id);
        assert!(!answer.error().contains(SECRET), "{answer:?}");
    }
    assert_not_logged(&fixture);
}

/// Errors of Postgres' own tell in their details the row that they met.
#[test]
fn secrets_are_not_logged_when_a_row_cannot_be_stored() {
    let mut fixture = fixture();
    let url = with_password(&fixture.receiver.url("/echo"));
    fixture
        .client
        .batch_execute(
            "create function refuse() returns trigger language plpgsql as $$
             begin
                 raise 'refused' using detail = new.content;
             end $$;
             create trigger refuse before insert on net._http_response for each row execute function refuse();
             create trigger refuse_too before insert on net.http_request_queue
                 for each row when (new.timeout_milliseconds = 7) execute function refuse();
             alter table net._http_response add check (status_code <> 200) not valid",
        )
        .unwrap();
    post(&mut fixture.client, &url);
    testkit::wait_until("the outcome to be held", testkit::PATIENCE, || {
        fixture
            .value::<Option<String>>("select max(last_error) from net._held_response")
            .is_some_and(|error| error.contains("refused"))
    });
    fixture.client.batch_execute("drop trigger refuse on net._http_response").unwrap();
    fixture.cluster.wait_for_log("violates check constraint");
    assert_not_logged(&fixture);

    fixture
        .client
        .batch_execute("alter table net.http_request_queue add check (timeout_milliseconds <> 2000) not valid")
        .unwrap();
    let call = Call::get(&format!("{url}?{SECRET}")).header("Cookie", SECRET).timeout(2000).select();
    let error = fixture.client.batch_execute(&call).unwrap_err();
    let error = error.as_db_error().unwrap();
    assert_eq!(error.code().code(), "23514", "{error:?}");
    assert_eq!(error.detail(), None, "{error:?}");
    assert_not_logged(&fixture);
}

/// An error has the statement logged with it, and with PL/pgSQL what led there: not when a call is refused.
#[test]
fn secrets_are_not_logged_when_a_call_is_refused() {
    let mut fixture = fixture();
    let url = with_password(&fixture.receiver.url("/"));
    let calls = [
        format!("net.http_get('{}')", url.replace("127.0.0.1", "127 0 0 1")),
        format!("net.http_get('ftp://user:{SECRET}@host/?{SECRET}')"),
        format!("net.http_get('user:{SECRET}@host/?{SECRET}')"),
        format!("net.http_get(E'{url}\\r\\nX: {SECRET}')"),
        format!("net.http_get('{url}', params := '[\"{SECRET}\"]')"),
        format!("net.http_get('{url}', headers := '[\"{SECRET}\"]')"),
        format!("net.http_post('{url}', to_jsonb('{SECRET}'::text), timeout_milliseconds := null)"),
        format!("net.http_post('{url}', to_jsonb(repeat('{SECRET}', 10000000)))"),
    ];
    for call in &calls {
        let in_plpgsql = format!("do $do$ begin execute $${call}$$; perform {call}; end $do$");
        for statement in [format!("select {call}"), in_plpgsql.replace("$$net", "$$select net")] {
            let error = fixture.client.batch_execute(&statement).unwrap_err();
            let error = error.as_db_error().unwrap();
            let told = [Some(error.message()), error.detail(), error.hint()];
            assert!(!told.iter().flatten().any(|told| told.contains(SECRET)), "{told:?}");
            assert!(["22023", "54000", "23502"].contains(&error.code().code()), "{error:?}");
        }
    }
    assert_not_logged(&fixture);
    // The refusals are in the log, and other errors still have their statement there.
    assert!(fixture.cluster.log().contains("Unsupported URL scheme"));
    error_of(&mut fixture.client, "select 1 / (0 * 4711)");
    fixture.cluster.wait_for_log("STATEMENT:  select 1 / (0 * 4711)");
}

#[test]
fn secrets_are_in_no_view_for_other_roles() {
    let mut fixture = fixture();
    fixture
        .client
        .batch_execute("create role alice login; create role bob login; alter role bob set row_security = on")
        .unwrap();
    let url = with_password(&fixture.receiver.url("/echo"));
    let held = fixture.receiver.url("/hang");
    let mut alice = fixture.cluster.connect_as("alice", "postgres");
    let ids: Vec<i64> = (0..50).map(|_| post(&mut alice, &url)).collect();
    for id in ids {
        fixture.response(id);
    }
    Call::get(&format!("{}?{SECRET}", with_password(&held))).timeout(20_000).send(&mut alice);
    fixture.received("/hang");
    fixture.client.batch_execute("analyze net.http_request_queue, net._http_response").unwrap();
    let kept = "select count(*) from pg_stats where schemaname = 'net' and pg_stats::text like '%hunter2%'";
    assert!(fixture.value::<i64>(kept) > 0, "there is something to see");

    let mut bob = fixture.cluster.connect_as("bob", "postgres");
    for view in [
        "pg_stat_activity",
        "pg_stats",
        "pg_stats_ext",
        "pg_prepared_statements",
        "pg_cursors",
        "pg_settings",
        "pg_locks",
        "pg_stat_user_tables",
        "net.http_request_queue",
        "net._http_response",
    ] {
        let seen = format!("select count(*) from {view} as v where v::text like '%hunt' || 'er2%'");
        assert_eq!(value::<i64>(&mut bob, &seen), 0, "{view}");
    }
    // The worker shows no role what it sends, not even a superuser.
    let worker =
        "select count(*) from pg_stat_activity v where backend_type ilike '%pg_net%' and v::text like '%hunter2%'";
    assert_eq!(fixture.value::<i64>(worker), 0);
}

#[test]
fn secrets_are_dropped_by_a_redirect_to_another_host() {
    let mut fixture = fixture();
    let other = Receiver::start();
    for (status, place) in [(302, "localhost"), (307, "localhost"), (302, "127.0.0.1"), (308, "127.0.0.1")] {
        // Another port is another origin too.
        let to = format!("http://{place}:{}/echo", other.port());
        let url = with_password(&fixture.receiver.url(&format!("/redirect/{status}?to={to}")));
        let call = "select net.http_post($1, '{}', headers := $2::jsonb)";
        let headers = json!({"Cookie": SECRET, "Proxy-Authorization": SECRET, "X-Other": "stays"});
        let id: i64 = fixture.client.query_one(call, &[&url, &headers]).unwrap().get(0);
        assert_eq!(fixture.response(id).status_code, Some(200));
    }
    for request in other.wait_for(4) {
        let told: Vec<_> = request.headers.iter().filter(|(_, value)| value.contains(SECRET)).collect();
        assert!(told.is_empty(), "{told:?}");
        assert_eq!((request.header("authorization"), request.header("x-other")), (None, Some("stays")));
    }
    let first = &fixture.receiver.requests()[0];
    assert!(first.header("authorization").is_some() && first.header("cookie").is_some(), "{first:?}");
}
