//! Collecting a response by its id.

use std::sync::{Arc, Mutex};
use std::thread;

use postgres::{Config, NoTls};
use serde_json::Value;
use testkit::{Call, PATIENCE};

use crate::fixture::{Fixture, allow_at_most};

/// `(status, message, response's status, response's body)` of a call that collects.
fn collect(fixture: &mut Fixture, call: &str) -> (String, String, Option<i32>, Option<String>) {
    let sql = format!(
        "select (c).status::text, (c).message, ((c).response).status_code, ((c).response).body from (select {call} as c) as s"
    );
    let row = fixture.client.query_one(&sql, &[]).unwrap();
    (row.get(0), row.get(1), row.get(2), row.get(3))
}

#[test]
fn a_response_is_collected_with_its_body_and_headers() {
    let mut fixture = Fixture::new();
    let id = fixture.get("/status/201").id.unwrap();
    let collected = collect(&mut fixture, &format!("net._http_collect_response({id})"));
    assert_eq!(collected, ("SUCCESS".into(), "ok".into(), Some(201), Some("status 201".into())));
    let headers: Value = fixture.value(&format!("select ((net._http_collect_response({id})).response).headers"));
    assert_eq!(headers["Content-Length"], "10");
    fixture.received("/status/201");
}

#[test]
fn a_failure_is_collected_with_its_message() {
    let mut fixture = Fixture::new();
    let id = fixture.get("/close").id.unwrap();
    let collected = collect(&mut fixture, &format!("net._http_collect_response({id})"));
    assert_eq!(collected, ("ERROR".into(), "Server returned nothing (no headers, no data)".into(), None, None));
    fixture.received("/close");
}

#[test]
fn an_unknown_id_is_said_to_be_unknown() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, PATIENCE);
    for call in ["net._http_collect_response(12345)", "net._http_collect_response(12345, async := false)"] {
        let collected = collect(&mut fixture, call);
        assert_eq!(collected, ("ERROR".into(), "request matching request_id not found".into(), None, None), "{call}");
    }
    assert!(!fixture.value::<bool>("select net._await_response(12345)"));
}

#[test]
fn collecting_in_step_waits_for_the_response() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, PATIENCE);
    let gate = fixture.receiver.hold("/status/202");
    let url = fixture.receiver.url("/status/202");
    let id = fixture.send(Call::get(&url).timeout(20_000));
    fixture.received("/status/202");
    thread::scope(|scope| {
        let waiting =
            scope.spawn(|| collect(&mut fixture, &format!("net._http_collect_response({id}, async := false)")));
        gate.release();
        let collected = waiting.join().unwrap();
        assert_eq!(collected, ("SUCCESS".into(), "ok".into(), Some(202), Some("status 202".into())));
    });
}

#[test]
fn awaiting_ends_with_the_response() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, PATIENCE);
    let url = fixture.receiver.url("/delay/100");
    let id = fixture.send(Call::get(&url));
    assert!(fixture.value::<bool>(&format!("select net._await_response({id})")));
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 1);
    fixture.received("/delay/100");
}

#[test]
fn awaiting_can_be_cancelled() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let id = fixture.send(Call::get(&url).timeout(60_000));
    fixture.client.batch_execute("set statement_timeout = '200ms'").unwrap();
    let (state, _) = crate::fixture::error_of(&mut fixture.client, &format!("select net._await_response({id})"));
    assert_eq!(state, "57014");
    gate.release();
    fixture.response(id);
}

#[test]
fn the_deprecated_name_raises_a_notice_and_answers_alike() {
    let mut fixture = Fixture::new();
    let id = fixture.get("/status/200").id.unwrap();
    let notices = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&notices);
    let mut config: Config = fixture.cluster.connection_string().parse().unwrap();
    config.notice_callback(move |notice| heard.lock().unwrap().push(notice.message().to_owned()));
    let mut client = config.connect(NoTls).unwrap();
    let row = client.query_one(&format!("select (net.http_collect_response({id})).message"), &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "ok");
    let notices = notices.lock().unwrap();
    assert!(notices.iter().any(|notice| notice.contains("net.http_collect_response is deprecated")), "{notices:?}");
}
