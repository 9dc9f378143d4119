//! Rows inserted straight into the queue: whatever they hold, each ends as a row of its own and stops no other.

use testkit::{Response, response};

use crate::fixture::{Fixture, error_of};

/// Inserts a row with these values of method, url, headers and timeout, wakes the worker, and waits for what comes of it.
#[track_caller]
fn insert(fixture: &mut Fixture, values: &str) -> Response {
    let insert = format!(
        "insert into net.http_request_queue (method, url, headers, timeout_milliseconds) values ({values}) returning id"
    );
    let id = fixture.value::<i64>(&insert);
    fixture.client.batch_execute("select net.wake()").unwrap();
    response(&mut fixture.client, id)
}

/// Fails the test unless such a row ends as a failure that says why, and nothing of it is sent.
#[track_caller]
fn assert_fails(fixture: &mut Fixture, values: &str, why: &str) {
    let sent = fixture.receiver.count();
    let answer = insert(fixture, values);
    answer.assert_failure(answer.error());
    assert!(answer.error().to_lowercase().contains(why), "{values}: {answer:?}");
    assert_eq!(fixture.receiver.count(), sent, "{values}");
    fixture.assert_works();
}

#[test]
fn an_inserted_row_is_sent_at_the_next_wake() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/direct?a=1");
    let answer = insert(&mut fixture, &format!(r#"'GET', '{url}', '{{"X-A": "b"}}', 2000"#));
    assert_eq!((answer.status_code, answer.text()), (Some(200), "ok"));
    let request = fixture.received("/direct");
    assert_eq!((request.target.as_str(), request.header("x-a")), ("/direct?a=1", Some("b")));
}

#[test]
fn an_inserted_row_is_not_sent_without_a_wake() {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    let url = fixture.receiver.url("/direct");
    let insert = format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', '{url}', 2000) returning id"
    );
    let id = fixture.value::<i64>(&insert);
    // Time itself is what this is about: a thousand times what it takes to send one.
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert_eq!(fixture.receiver.count(), 1);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 1);
    fixture.client.batch_execute("begin; select net.wake(); rollback; begin; select net.wake(); commit").unwrap();
    assert_eq!(fixture.response(id).status_code, Some(200));
    fixture.received("/direct");
}

#[test]
fn any_call_wakes_the_worker_for_the_rows_before_it() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/direct");
    let id = fixture.value::<i64>(&format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds) values ('post', '{url}', 2000) returning id"
    ));
    fixture.assert_works();
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!(fixture.received("/direct").method, "POST");
}

#[test]
fn an_inserted_row_with_headers_that_are_no_object_fails() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    for headers in ["'null'", "'[1]'", "'\"text\"'", "'7'"] {
        assert_fails(&mut fixture, &format!("'GET', '{url}', {headers}, 2000"), "header");
    }
}

#[test]
fn an_inserted_row_with_headers_that_cannot_be_sent_fails() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    for headers in [r#"'{"a b": "c"}'"#, r#"'{"a": "b\nc: d"}'"#] {
        assert_fails(&mut fixture, &format!("'GET', '{url}', {headers}, 2000"), "header");
    }
}

/// The column may be null, as in the C version: then there are no headers.
#[test]
fn an_inserted_row_without_headers_is_sent() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/bare");
    let answer = insert(&mut fixture, &format!("'GET', '{url}', null, 2000"));
    assert_eq!(answer.status_code, Some(200));
    fixture.received("/bare");
}

#[test]
fn an_inserted_row_with_a_malformed_url_fails() {
    let mut fixture = Fixture::new();
    for url in ["", "not a url", "/relative", "http://", "http://a b/", "http://127.0.0.1:99999/"] {
        assert_fails(&mut fixture, &format!("'GET', '{url}', '{{}}', 2000"), "invalid url");
    }
    for url in ["localhost:6666", "ftp://127.0.0.1/"] {
        assert_fails(&mut fixture, &format!("'GET', '{url}', '{{}}', 2000"), "unsupported url scheme");
    }
}

#[test]
fn an_inserted_row_with_an_invalid_method_fails() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    let statement = format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds) values ('NO METHOD', '{url}', 2000)"
    );
    assert_eq!(error_of(&mut fixture.client, &statement).0, "23514");

    let drop = "do $$ begin execute (select format('alter domain net.http_method drop constraint %I', conname)
                                       from pg_constraint where contypid = 'net.http_method'::regtype); end $$";
    fixture.client.batch_execute(drop).unwrap();
    assert_fails(&mut fixture, &format!("'NO METHOD', '{url}', '{{}}', 2000"), "method");
    assert_fails(&mut fixture, &format!("'', '{url}', '{{}}', 2000"), "method");
}

#[test]
fn a_method_that_nobody_knows_is_sent_as_it_is() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/coffee");
    let answer = insert(&mut fixture, &format!("'BREW', '{url}', '{{}}', 2000"));
    assert_eq!(answer.status_code, Some(200));
    assert_eq!(fixture.received("/coffee").method, "BREW");
}

#[test]
fn an_inserted_row_with_an_invalid_timeout_fails() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    for timeout in ["-1", "0", "-2147483648"] {
        assert_fails(&mut fixture, &format!("'GET', '{url}', '{{}}', {timeout}"), "timeout");
    }
}

#[test]
fn bad_inserted_rows_do_not_hold_up_good_ones_of_their_batch() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/good");
    fixture
        .client
        .batch_execute(&format!(
            r#"insert into net.http_request_queue (method, url, headers, timeout_milliseconds)
               select 'GET', case n % 5 when 1 then 'nonsense' else '{url}?n=' || n end,
                      case n % 5 when 2 then '[]'::jsonb else '{{}}' end, case n % 5 when 3 then -1 else 2000 end
                 from generate_series(1, 100) as n;
               select net.wake()"#
        ))
        .unwrap();
    let answers = testkit::responses(&mut fixture.client, 100);
    for answer in &answers {
        let bad = matches!(answer.id.unwrap() % 5, 1..=3);
        assert_eq!(answer.error_msg.is_some(), bad, "{answer:?}");
        assert_eq!(answer.status_code, (!bad).then_some(200), "{answer:?}");
    }
    assert_eq!((answers.len(), fixture.receiver.count()), (100, 40));
}

#[test]
fn ids_that_come_twice_are_two_requests() {
    let mut fixture = Fixture::new();
    let (one, two) = (fixture.receiver.url("/status/201"), fixture.receiver.url("/status/202"));
    fixture
        .client
        .batch_execute(&format!(
            "insert into net.http_request_queue (id, method, url, timeout_milliseconds)
             values (77, 'GET', '{one}', 2000), (77, 'GET', '{two}', 2000);
             select net.wake()"
        ))
        .unwrap();
    let answers = testkit::responses(&mut fixture.client, 2);
    let mut statuses: Vec<_> = answers.iter().map(|answer| (answer.id, answer.status_code)).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [(Some(77), Some(201)), (Some(77), Some(202))]);
    assert_eq!(fixture.receiver.count(), 2);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
}
