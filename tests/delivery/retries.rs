//! Requests with more than one attempt: when they are tried again, and where they end.

use std::time::{Duration, Instant};

use testkit::{Call, Cluster, PATIENCE, Receiver, wait_until};

use crate::fixture::Fixture;

/// What stands of a request's attempts and its end.
fn end(fixture: &mut Fixture, id: i64) -> (Option<i32>, i32, Option<String>) {
    fixture.response(id);
    let row = fixture
        .client
        .query_one("select status_code, attempts, error_kind from net._http_response where id = $1", &[&id])
        .expect("exactly one response");
    (row.get(0), row.get(1), row.get(2))
}

fn dead_letters(fixture: &mut Fixture) -> i64 {
    fixture.value("select count(*) from net.dead_letter")
}

fn queued(fixture: &mut Fixture) -> i64 {
    fixture.value("select count(*) from net.http_request_queue")
}

#[test]
fn a_request_is_tried_again_until_it_succeeds_and_has_one_response() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/fail/503/2");
    let id = fixture.send(Call::request("GET", &url).max_attempts(5));
    assert_eq!(end(&mut fixture, id), (Some(200), 3, None));
    assert_eq!(fixture.receiver.count(), 3);
    assert_eq!((queued(&mut fixture), dead_letters(&mut fixture)), (0, 0));
}

#[test]
fn one_attempt_is_the_default() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/fail/503/2");
    let id = fixture.send(Call::request("GET", &url));
    assert_eq!(end(&mut fixture, id), (Some(503), 1, None));
    assert_eq!((fixture.receiver.count(), queued(&mut fixture), dead_letters(&mut fixture)), (1, 0, 0));
}

#[test]
fn an_answer_that_no_other_attempt_could_better_is_final() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/status/404");
    let id = fixture.send(Call::request("GET", &url).max_attempts(5));
    assert_eq!(end(&mut fixture, id), (Some(404), 1, None));
    assert_eq!((fixture.receiver.count(), queued(&mut fixture), dead_letters(&mut fixture)), (1, 0, 0));
}

#[test]
fn a_request_that_used_up_its_attempts_stands_in_the_dead_letter_and_can_be_sent_again() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/fail/500/2");
    let id = fixture.send(
        Call::request("PUT", &url)
            .bytes(&[0, 0xff])
            .header("X-A", "b")
            .max_attempts(2)
            .timeout(5000)
            .idempotency_key("k"),
    );
    assert_eq!(end(&mut fixture, id), (Some(500), 2, None));
    assert_eq!((fixture.receiver.count(), queued(&mut fixture)), (2, 0));
    let whole = fixture.value::<bool>(&format!(
        r#"select (id, method::text, url, headers, body, timeout_milliseconds, max_attempts, attempts, idempotency_key,
                   status_code, content, timed_out, error_msg)
               is not distinct from
                  ({id}::bigint, 'PUT', '{url}', '{{"X-A": "b"}}'::jsonb, '\x00ff'::bytea, 5000, 2, 2, 'k',
                   500, 'at last', false, null::text)
             from net.dead_letter"#
    ));
    assert!(whole);

    assert!(fixture.value::<bool>(&format!("select net.retry({id})")));
    wait_until("the request's end", PATIENCE, || queued(&mut fixture) == 0);
    assert_eq!(end(&mut fixture, id), (Some(200), 1, None));
    let again = &fixture.receiver.requests()[2];
    assert_eq!((again.method.as_str(), again.body.as_slice()), ("PUT", [0, 0xff].as_slice()));
    assert_eq!((again.header("x-a"), again.header("idempotency-key")), (Some("b"), Some("k")));
    assert_eq!(dead_letters(&mut fixture), 0);
    assert!(!fixture.value::<bool>(&format!("select net.retry({id})")), "there is nothing left to send again");
}

#[test]
fn a_refused_connection_is_tried_again() {
    let mut fixture = Fixture::new();
    let refused = Receiver::refused_port();
    let id = fixture.send(Call::request("GET", &refused.url("/")).max_attempts(2));
    assert_eq!(end(&mut fixture, id), (None, 2, Some("connect".to_owned())));
    assert_eq!(fixture.value::<String>("select error_kind from net.dead_letter"), "connect");
}

#[test]
fn the_attempts_of_a_post_carry_one_idempotency_key() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/fail/503/1");
    let keys = |fixture: &Fixture, query: &str| -> Vec<String> {
        let requests = fixture.receiver.requests();
        let of_this = requests.iter().filter(|request| request.query() == Some(query));
        of_this.map(|request| request.header("idempotency-key").unwrap_or("none").to_owned()).collect()
    };
    let call = |method, query| Call::request(method, &format!("{url}?{query}")).text("x").max_attempts(3);
    for (query, call, expected) in [
        ("given", call("POST", "given").idempotency_key("order-7"), Some(["order-7"; 2])),
        ("header", call("PATCH", "header").header("idempotency-key", "mine"), Some(["mine"; 2])),
        ("generated", call("POST", "generated"), None),
        ("safe", call("PUT", "safe"), Some(["none"; 2])),
    ] {
        let id = fixture.send(call);
        assert_eq!(end(&mut fixture, id), (Some(200), 2, None), "{query}");
        let keys = keys(&fixture, query);
        match expected {
            Some(expected) => assert_eq!(keys, expected, "{query}"),
            None => {
                assert_eq!((keys.len(), &keys[0]), (2, &keys[1]), "{query}");
                assert!(fixture.value::<bool>(&format!("select '{}'::uuid is not null", keys[0])));
            }
        }
    }
}

#[test]
fn attempts_and_due_times_survive_a_crash() {
    let mut fixture = Fixture::with(Cluster::builder().durable().start_ready());
    let wait = "HTTP/1.1 503 Busy\r\nRetry-After: 5\r\nContent-Length: 0\r\n\r\n";
    fixture.receiver.script("/busy", vec![wait.into()]);
    let url = fixture.receiver.url("/busy");
    let id = fixture.send(Call::request("GET", &url).max_attempts(3).timeout(60_000));
    let waits = "select exists (select from net.http_request_queue where attempts = 1 and due is not null)";
    wait_until("the request in wait of its next attempt", PATIENCE, || fixture.value::<bool>(waits));
    fixture.receiver.script("/busy", vec![b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n".to_vec()]);
    // The start can take longer than the wait: the row stays in the queue until it is answered.
    let gate = fixture.receiver.hold("/busy");
    let state = "select attempts || ' attempt, due ' || due from net.http_request_queue";
    let before: String = fixture.value(state);
    fixture.cluster.kill_postmaster();
    fixture.cluster.start();
    fixture.client = fixture.cluster.connect();
    assert_eq!(fixture.value::<String>(state), before);
    gate.release();
    assert_eq!(end(&mut fixture, id), (Some(200), 2, None));
    let requests = fixture.receiver.requests();
    assert_eq!(requests.len(), 2);
    let apart = requests[1].arrival - requests[0].arrival;
    assert!(apart >= Duration::from_secs(5), "tried again after {apart:?}");
}

#[test]
fn a_request_is_not_sent_before_its_time_and_holds_up_no_other() {
    let mut fixture = Fixture::new();
    let (later, now) = (fixture.receiver.url("/later"), fixture.receiver.url("/now"));
    let asked = Instant::now();
    let id = fixture.send(Call::request("GET", &later).not_before("clock_timestamp() + interval '2 seconds'"));
    let past = fixture.send(Call::request("GET", &now).not_before("now() - interval '1 day'"));
    assert_eq!(end(&mut fixture, past), (Some(200), 1, None));
    assert!(fixture.receiver.requests().iter().all(|request| request.path() == "/now"));
    assert_eq!(end(&mut fixture, id), (Some(200), 1, None));
    let waited = fixture.received("/later").arrival - asked;
    assert!(waited >= Duration::from_secs(2), "sent after {waited:?}");
}

/// The worker sleeps until the time that it knows of; an earlier one that comes later must not be slept through.
#[test]
fn an_earlier_time_that_comes_later_is_kept() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    for seconds in [3600, 1] {
        fixture.send(
            Call::request("GET", &format!("{url}?{seconds}"))
                .not_before(&format!("clock_timestamp() + interval '{seconds} s'")),
        );
    }
    let request = fixture.received("/x");
    assert_eq!(request.query(), Some("1"));
    wait_until("the first one's response", PATIENCE, || queued(&mut fixture) == 1);
}
