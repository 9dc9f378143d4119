//! An origin in trouble delays no other.

use std::time::{Duration, Instant};

use testkit::{Call, Cluster, PATIENCE, Receiver, wait_until};

use crate::fixture::{Fixture, assert_works, error_of};

fn states(fixture: &mut Fixture) -> Vec<(String, String)> {
    let rows = fixture.client.query("select origin, state from net.origin_state()", &[]).expect("the origins");
    rows.iter().map(|row| (row.get(0), row.get(1))).collect()
}

fn queued(fixture: &mut Fixture) -> i64 {
    fixture.value("select count(*) from net.http_request_queue")
}

fn busy(fixture: &Fixture, path: &str, status: &str, retry_after: &str) -> String {
    let reply = format!("HTTP/1.1 {status} Busy\r\nRetry-After: {retry_after}\r\nContent-Length: 0\r\n\r\n");
    fixture.receiver.script(path, vec![reply.into_bytes()]);
    fixture.receiver.url(path)
}

#[test]
fn case_42_a_429_holds_back_what_has_attempts_left_and_nothing_else() {
    let mut fixture = Fixture::new();
    let url = busy(&fixture, "/busy", "429", "2");
    let held = Instant::now();
    fixture.get_url(&url);
    let origin = fixture.receiver.url("");
    assert_eq!(states(&mut fixture), [(origin.clone(), "deferred".to_owned())]);
    let until = "select held_until between now() and now() + interval '2 seconds' from net.origin_state()";
    assert!(fixture.value::<bool>(until));

    let ok = fixture.receiver.url("/ok");
    fixture.send_times(Call::request("GET", &ok).max_attempts(2), 50);
    let other = Receiver::start();
    assert_works(&mut fixture.client, &other);
    // Those with one attempt go out at once, by whatever function, and each has its own answer.
    let plain = fixture.receiver.url("/plain");
    for call in [
        format!("http_post('{plain}')"),
        format!("http_get('{plain}')"),
        format!("http_request('GET', '{plain}', delivery => 'at_most_once')"),
    ] {
        let id = fixture.value::<i64>(&format!("select net.{call}"));
        assert_eq!(fixture.response(id).status_code, Some(200), "{call}");
    }
    assert_eq!(fixture.get_url(&url).status_code, Some(429));
    assert_eq!((fixture.receiver.count(), queued(&mut fixture)), (5, 50));
    assert!(fixture.receiver.requests().iter().all(|request| request.path() != "/ok"));
    // What waits is in the queue and nowhere else.
    assert!(fixture.value::<bool>("select net.cancel(min(id)) from net.http_request_queue"));
    assert_eq!(queued(&mut fixture), 49);
    fixture.client.batch_execute("delete from net.http_request_queue where id % 2 = 0").unwrap();
    let left = queued(&mut fixture) as usize;
    let arrived = fixture.receiver.wait_for(5 + left);
    assert!(arrived[5].arrival >= held + Duration::from_secs(2), "{:?}", arrived[5].arrival - held);
    wait_until("the responses", PATIENCE, || queued(&mut fixture) == 0);
    assert_eq!(fixture.receiver.count(), 5 + left);
    let fine = fixture.value::<i64>("select count(*) from net._http_response where status_code = 200");
    assert_eq!(fine as usize, left + 4);
    wait_until("the end of the hold", PATIENCE, || states(&mut fixture).is_empty());
}

#[test]
fn a_503_is_tried_again_no_earlier_than_it_asks_for() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.retry_base", "1ms").start_ready());
    let in_three_seconds =
        "to_char(clock_timestamp() at time zone 'utc' + interval '3 s', 'Dy, DD Mon YYYY HH24:MI:SS')";
    for path in ["/seconds", "/date"] {
        let asked = Instant::now();
        let retry_after = match path {
            "/seconds" => "3".to_owned(),
            _ => fixture.value::<String>(&format!("select {in_three_seconds} || ' GMT'")),
        };
        let url = busy(&fixture, path, "503", &retry_after);
        fixture.send(Call::request("GET", &url).max_attempts(2));
        let arrived = wait_until("the second attempt", PATIENCE, || {
            let requests = fixture.receiver.requests();
            let these = requests.into_iter().filter(|request| request.path() == path).collect::<Vec<_>>();
            (these.len() == 2).then_some(these)
        });
        // A date has no fractions of a second, and was made before the first attempt.
        let (since, least) = if path == "/date" { (asked, 2) } else { (arrived[0].arrival, 3) };
        let waited = arrived[1].arrival - since;
        assert!(waited >= Duration::from_secs(least), "{path}: {waited:?}");
        wait_until("the end of the hold", PATIENCE, || states(&mut fixture).is_empty());
    }
}

#[test]
fn an_origin_that_refuses_holds_up_no_other() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.breaker_failures", "3").start_ready());
    let dead = Receiver::refused_port();
    fixture.send_times(Call::get(&dead.url("/")), 3000);
    let origin = dead.url("");
    wait_until("three failures", PATIENCE, || states(&mut fixture) == [(origin.clone(), "probing".to_owned())]);
    let last = "select last_failure = 'connect' and failures >= 3 and failing_since <= now() from net.origin_state()";
    assert!(fixture.value::<bool>(last));
    fixture.assert_works();
    assert!(queued(&mut fixture) > 0, "they do not fail all at once");

    wait_until("the end of all", 3 * PATIENCE, || queued(&mut fixture) == 0);
    let kinds = "select count(*) from net._http_response \
                  where error_kind = 'connect' and error_msg = 'Couldn''t connect to server' and attempts = 1";
    assert_eq!(fixture.value::<i64>(kinds), 3000);
}

#[test]
fn origin_state_shows_a_role_its_own_origins_alone() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role watcher login in role pg_monitor; create role someone login").unwrap();
    let mut watcher = fixture.cluster.connect_as("watcher", "postgres");
    watcher.batch_execute("select * from net.origin_state()").unwrap();
    let mut someone = fixture.cluster.connect_as("someone", "postgres");
    assert_eq!(error_of(&mut someone, "select * from net.origin_state()").0, "42501");
    assert_eq!(error_of(&mut someone, "select net._origin_states()").0, "42501");
}
