//! What messages and the log show of a URL, and of the code that raises an error.

use testkit::{Call, Cluster, PATIENCE, wait_until};

use crate::fixture::Fixture;

/// Part of every secret here: the token of a chat's webhook, which is all that one needs to post there.
const TOKEN: &str = "hunter2";

fn database_error(fixture: &mut Fixture, sql: &str) -> postgres::error::DbError {
    fixture.client.batch_execute(sql).expect_err(sql).as_db_error().unwrap_or_else(|| panic!("{sql}")).clone()
}

#[test]
fn case_17a_of_a_url_no_more_than_the_host_is_told() {
    let cluster = Cluster::builder().conf("log_min_messages", "debug1").conf("log_error_verbosity", "verbose");
    let mut fixture = Fixture::with(cluster.start_ready());
    let cases = [
        (r"https://hooks.example/services/T0/hunter2\n", r#"invalid URL "https://hooks.example": "#),
        (r"https://hooks.example/services/T0/hunter2\r\n", r#"invalid URL "https://hooks.example": "#),
        (r"https://hooks.example:8443/\thunter2", r#"invalid URL "https://hooks.example:8443": "#),
        (r"https://us:hunter2@hooks.example/hunter2\n", r#"invalid URL "https://hooks.example": "#),
        (r"https://us:hunter2/hunter2", r#"invalid URL "https://us": "#),
        (r"https://ho oks.example/hunter2?hunter2#hunter2", r#"invalid URL "https://ho oks.example": "#),
        (r"https:///\n/hunter2", r#"invalid URL "https://": "#),
        (r"hooks.example/services/hunter2", r#"invalid URL "hooks.example": "#),
        (r"/services/hunter2", r#"invalid URL "/services": "#),
        (r"/malformed_url", r#"invalid URL "/malformed_url": "#),
        (r"ftp://us:hunter2@files.example/hunter2", r#"Unsupported URL scheme in "ftp://files.example""#),
        (r"localhost:6666/hunter2", r#"Unsupported URL scheme in "localhost:6666""#),
        (r"slack:hunter2", r#"Unsupported URL scheme in "slack""#),
    ];
    for (url, told) in cases {
        for call in [
            format!("net.http_get(E'{url}')"),
            format!("net.http_post(E'{url}')"),
            format!("net.http_request('PUT', E'{url}', 'body')"),
            format!("net._encode_url_with_params_array(E'{url}', '{{a=b}}')"),
        ] {
            for statement in [format!("select {call}"), format!("do $$ begin perform {call}; end $$")] {
                let error = database_error(&mut fixture, &statement);
                assert!(error.message().contains(told), "{url}: {error:?}");
                let all = [Some(error.message()), error.detail(), error.hint()];
                assert!(!all.iter().flatten().any(|text| text.contains(TOKEN)), "{url}: {error:?}");
            }
        }
        // A row that was made by hand.
        let id = fixture.value::<i64>(&format!(
            "insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', E'{url}', 2000) returning id"
        ));
        fixture.client.batch_execute("select net.wake()").unwrap();
        let answer = fixture.response(id);
        assert!(answer.error().contains(told) && !answer.error().contains(TOKEN), "{url}: {answer:?}");
        let row: String = fixture.value(&format!("select r::text from net._http_response r where id = {id}"));
        assert!(!row.contains(TOKEN), "{row}");
    }
    // Where a reply leads.
    for to in [r"ftp://us:hunter2@h/hunter2", r"http://ho%20st:x/hunter2"] {
        let answer = fixture.get(&format!("/redirect/302?to={to}"));
        answer.assert_failure("Redirect to an unsupported or malformed URL");
        let detail: Option<String> =
            fixture.value(&format!("select error_detail from net._http_response where id = {}", answer.id.unwrap()));
        assert!(!detail.unwrap_or_default().contains(TOKEN));
    }
    let log = fixture.cluster.log();
    assert!(log.contains("invalid URL"), "the refusals are in the log");
    let told: Vec<_> = log.lines().filter(|line| line.contains(TOKEN)).collect();
    assert!(told.is_empty(), "{told:#?}");
}

/// Fails the test if a text has something of a backtrace in it.
#[track_caller]
fn assert_no_frames(what: &str, text: &str) {
    for sign in ["pgrx", ".rs:", "rust_begin_unwind", "backtrace", "core::", "std::"] {
        assert!(!text.contains(sign), "{what}: {text}");
    }
}

#[test]
fn case_17a_no_backtrace_whatever_the_environment_says() {
    let builder = Cluster::builder().env("RUST_BACKTRACE", "full").env("RUST_LIB_BACKTRACE", "1");
    let mut fixture = Fixture::with(builder.start_ready());
    let url = fixture.receiver.url("/");
    let prepare = "create function refuse() returns trigger language plpgsql as $$ begin raise 'refused'; end $$;
                   create table numbers (n int);
                   revoke select on net._http_response from public; create role web login";
    fixture.client.batch_execute(prepare).unwrap();
    fixture
        .client
        .batch_execute("alter table net.http_request_queue add check (timeout_milliseconds <> 7) not valid")
        .unwrap();
    let calls = [
        "net.http_get('/malformed_url')".to_owned(),
        "net.http_get(null)".to_owned(),
        format!("net.http_get('{url}', params := '[]')"),
        format!("net.http_get('{url}', timeout_milliseconds := 7)"),
        format!("net.http_request('G T', '{url}')"),
        format!("net.http_post('{url}', to_jsonb(repeat('x', 70000000)))"),
        "net.await_response(4711)".to_owned(),
        "net.await_responses('{4711}')".to_owned(),
        "net.await_response(1, '-1 second')".to_owned(),
        "net._check_host_pattern('10.0.0.1')".to_owned(),
        "net.urlencode_form('[]')".to_owned(),
        format!("net.await_response(net.http_get('{url}'))"),
    ];
    for call in calls {
        let error = database_error(&mut fixture, &format!("select {call}"));
        assert_eq!(error.detail(), None, "{call}: {error:?}");
        assert_no_frames(&call, &format!("{} {:?} {:?}", error.message(), error.hint(), error.where_()));
    }
    // Errors of Postgres' own on the way.
    let mut web = fixture.cluster.connect_as("web", "postgres");
    for call in ["net.await_response(1)", "net.await_responses('{1}')", "net._await_response(1)"] {
        let error = web.batch_execute(&format!("select {call}")).unwrap_err();
        let error = error.as_db_error().unwrap_or_else(|| panic!("{call}"));
        assert_eq!((error.code().code(), error.detail()), ("42501", None), "{call}: {error:?}");
    }
    let held = fixture.send(Call::request("GET", &url).not_before("now() + '1 hour'"));
    fixture.client.batch_execute("set statement_timeout = '200ms'").unwrap();
    let error = database_error(&mut fixture, &format!("select net.await_response({held}, '1 hour')"));
    assert_eq!((error.code().code(), error.detail()), ("57014", None), "{error:?}");
    fixture.client.batch_execute("reset statement_timeout").unwrap();
    // What the worker says of an outcome that it cannot store.
    let refuse = "create trigger refuse before insert on net._http_response for each row execute function refuse()";
    fixture.client.batch_execute(refuse).unwrap();
    fixture.send(Call::get(&url));
    wait_until("a warning of the worker", PATIENCE, || fixture.cluster.log().contains("refused"));
    let log = fixture.cluster.log();
    assert!(log.contains("invalid URL"));
    for line in log.lines() {
        assert_no_frames("the log", line);
    }
}

#[test]
fn case_17a_no_backtrace_where_the_library_is_not_preloaded() {
    let cluster = Cluster::builder().no_preload().env("RUST_BACKTRACE", "1").start();
    let error = cluster.connect().batch_execute("create extension pg_net").unwrap_err();
    let error = error.as_db_error().unwrap();
    assert!(error.message().contains("shared_preload_libraries"), "{error:?}");
    assert_eq!(error.detail(), None);
    for line in cluster.log().lines() {
        assert_no_frames("the log", line);
    }
}
