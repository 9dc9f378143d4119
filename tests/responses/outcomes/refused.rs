//! Requests that cannot be sent, or may not be: each ends without an attempt, and the transaction that made it goes on.

use serde_json::{Value, json};

use testkit::Call;

use super::{CALLS, assert_arrived, assert_failed, call, insert};
use crate::fixture::Fixture;

const LINE_BREAK: &str = r#"header "X-Api-Key" contains a carriage return or line feed"#;

fn timeout_message(got: i32, most: i32) -> String {
    format!("timeout_milliseconds must be between 1 and {most} (pg_net.max_timeout_ms), got {got}")
}

/// Headers and timeouts that are wrong, and what is said of each.
fn wrong() -> Vec<(Value, i32, String)> {
    let many = (0..1001).map(|n| (format!("X-{n}"), json!("a"))).collect::<serde_json::Map<_, _>>();
    let headers = [
        (json!({"X-Api-Key": "a\r\nX-Smuggled: yes"}), LINE_BREAK),
        (json!({"X-Api-Key": "a\n"}), LINE_BREAK),
        (json!({"X-Api-Key": "\r"}), LINE_BREAK),
        (json!({"X-Api-Key": ["a\u{7f}"], "X-Ok": "a"}), r#"header "X-Api-Key" contains a control character"#),
        (json!({"X-Api-Key": "a\u{1}"}), r#"header "X-Api-Key" contains a control character"#),
        (
            json!({"X-A\r\nX-Smuggled: yes": "a"}),
            r#"header "X-A\r\nX-Smuggled: yes" contains a carriage return or line feed"#,
        ),
        (json!({"a b": "c"}), r#"header "a b" has a name that cannot be sent"#),
        (json!({"": "c"}), r#"header "" has a name that cannot be sent"#),
        (json!({"a:": "c"}), r#"header "a:" has a name that cannot be sent"#),
        (json!({"Host": "a", "host": "b"}), r#"more than one header "Host""#),
        (Value::Object(many), "more than 1000 headers"),
    ];
    let timeouts = [0, -1, i32::MIN, 600_001, i32::MAX];
    let headers = headers.map(|(headers, message)| (headers, 2000, message.to_owned()));
    headers.into_iter().chain(timeouts.map(|got| (json!({}), got, timeout_message(got, 600_000)))).collect()
}

#[test]
fn case_15_what_is_wrong_with_a_request_is_its_outcome() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/");
    let mut failures = Vec::new();
    for (headers, timeout, message) in wrong() {
        for function in CALLS {
            failures.push((call(&mut fixture, function, &url, &headers, timeout), message.clone()));
        }
        failures.push((insert(&mut fixture, &url, &headers, timeout), message));
    }
    for (id, message) in failures {
        assert_failed(&mut fixture, id, "invalid", &message);
    }
    assert_arrived(&mut fixture, 0);
    fixture.assert_works();
}

/// An order is not lost because of what its webhook looks like.
#[test]
fn case_15_an_invalid_request_of_a_trigger_rolls_nothing_back() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/");
    let created = format!(
        "create table orders (id int, headers jsonb, timeout int, url text, request bigint);
         create function notify() returns trigger language plpgsql as $$
         begin
             new.request := net.http_post(coalesce(new.url, '{url}'), '{{}}', '{{}}', new.headers, new.timeout);
             return new;
         end $$;
         create trigger notify before insert on orders for each row execute function notify();
         insert into net.egress_rule (action, host) values ('deny', 'denied.example')"
    );
    fixture.client.batch_execute(&created).unwrap();
    let place = "insert into orders values ($1, $2, $3, $4) returning request";
    let mut failures = Vec::new();
    let mut order = 0;
    for (headers, timeout, message) in wrong() {
        order += 1;
        let id: i64 = fixture.client.query_one(place, &[&order, &headers, &timeout, &None::<&str>]).unwrap().get(0);
        failures.push((id, "invalid", message));
    }
    for url in ["http://169.254.169.254/latest/meta-data", "http://denied.example/"] {
        order += 1;
        let id: i64 = fixture.client.query_one(place, &[&order, &json!({}), &2000, &url]).unwrap().get(0);
        failures.push((id, "egress_refused", "Refused by the egress policy".to_owned()));
    }
    assert_eq!(fixture.value::<i64>("select count(*) from orders"), i64::from(order));
    for (id, kind, message) in failures {
        assert_failed(&mut fixture, id, kind, &message);
    }
    assert_arrived(&mut fixture, 0);
}

#[test]
fn case_15_an_invalid_idempotency_key_is_an_outcome_too() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/");
    let ask =
        |key: &str| format!("select net.http_request('POST', '{url}', max_attempts := 3, idempotency_key := {key})");
    let id = fixture.value::<i64>(&ask(r"E'a\r\nX-Smuggled: yes'"));
    let message = r#"header "Idempotency-Key" contains a carriage return or line feed"#;
    assert_failed(&mut fixture, id, "invalid", message);
    assert_arrived(&mut fixture, 0);
    let id = fixture.value::<i64>(&ask("''"));
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!(fixture.receiver.requests()[0].header("idempotency-key"), None);
}

/// The attempts that were made before count.
#[test]
fn case_15_a_request_that_is_refused_at_its_second_attempt_had_one() {
    let mut fixture = Fixture::new();
    fixture.cluster.alter_system("pg_net.retry_base", "1");
    let reply = b"HTTP/1.1 503 Busy\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n".to_vec();
    fixture.receiver.script("/busy", vec![reply]);
    let url = fixture.receiver.url("/busy");
    let id = fixture.send(Call::request("POST", &url).max_attempts(5));
    fixture.received("/busy");
    fixture.client.batch_execute("insert into net.egress_rule (action) values ('deny')").unwrap();
    fixture.response(id).assert_failure("Refused by the egress policy");
    let attempts: i32 = fixture.value(&format!("select attempts from net._http_response where id = {id}"));
    assert_eq!(attempts, 1);
    assert_arrived(&mut fixture, 1);
}

#[test]
fn case_15_the_longest_timeout_is_a_setting_of_the_worker() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/");
    let ask = |fixture: &mut Fixture, timeout: i32| call(fixture, CALLS[0], &url, &json!({}), timeout);
    let id = ask(&mut fixture, 600_000);
    assert_eq!(fixture.response(id).status_code, Some(200));

    fixture.cluster.alter_system("pg_net.max_timeout_ms", "3000");
    let id = ask(&mut fixture, 3001);
    assert_failed(&mut fixture, id, "invalid", &timeout_message(3001, 3000));
    let id = ask(&mut fixture, 3000);
    assert_eq!(fixture.response(id).status_code, Some(200));

    // As the documentation page has it.
    fixture
        .client
        .batch_execute("alter role postgres set pg_net.max_timeout_ms = 5000; select net.worker_restart()")
        .unwrap();
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    let id = ask(&mut fixture, 5001);
    assert_failed(&mut fixture, id, "invalid", &timeout_message(5001, 5000));
    let id = ask(&mut fixture, 5000);
    assert_eq!(fixture.response(id).status_code, Some(200));
}
