//! What the C version's own tests promise, where no other test of ours shows it.

use testkit::{Call, PATIENCE, Receiver, wait_until};

use crate::fixture::{Fixture, value};

/// Calls of one kind, in one statement and one commit.
fn many(fixture: &mut Fixture, url: &str, count: usize) {
    fixture.send_times(Call::get(url), count);
}

fn count(fixture: &mut Fixture, condition: &str) -> i64 {
    fixture.value(&format!("select count(*) from net._http_response where {condition}"))
}

#[test]
fn responses_of_requests_made_one_after_another_have_a_time_each() {
    let mut fixture = Fixture::new();
    (0..3).for_each(|_| _ = fixture.get("/in-turn"));
    assert_eq!(fixture.value::<i64>("select count(distinct created) from net._http_response"), 3);
}

#[test]
fn parameters_and_headers_may_be_null_in_their_places() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/plain");
    for call in [
        format!("select net.http_get('{url}', null::jsonb, null::jsonb, 2000)"),
        format!("select net.http_delete('{url}', null::jsonb, null::jsonb, 2000)"),
        format!("select net.http_post('{url}', null::jsonb, null::jsonb, null::jsonb, 2000)"),
    ] {
        let id = fixture.value::<i64>(&call);
        assert_eq!(fixture.response(id).status_code, Some(200), "{call}");
    }
    assert!(fixture.receiver.requests().iter().all(|request| request.target == "/plain" && request.text().is_empty()));
}

/// Each with an attempt and a failure of its own; and who answers later is served at once.
#[test]
fn the_worker_goes_on_after_ten_connections_were_refused() {
    let mut fixture = Fixture::new();
    let refusing = Receiver::refused_port();
    many(&mut fixture, &refusing.url("/"), 10);
    let refused = "error_msg = 'Couldn''t connect to server' and attempts = 1 and status_code is null";
    wait_until("ten failures", PATIENCE, || count(&mut fixture, refused) == 10);
    assert_eq!(count(&mut fixture, "true"), 10);
    fixture.assert_works();
}

#[test]
fn the_worker_goes_on_after_a_server_closed_ten_connections_without_a_byte() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/close");
    many(&mut fixture, &url, 10);
    let closed = "error_msg = 'Server returned nothing (no headers, no data)' and attempts = 1";
    wait_until("ten failures", PATIENCE, || count(&mut fixture, closed) == 10);
    // The same server is asked as before.
    let url = fixture.receiver.url("/status/200");
    many(&mut fixture, &url, 10);
    wait_until("ten answers", PATIENCE, || count(&mut fixture, "status_code = 200") == 10);
    assert_eq!(count(&mut fixture, "true"), 20);
}

#[test]
fn a_role_that_was_made_later_asks_collects_and_can_be_dropped() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/later");
    fixture.client.batch_execute("create role another").unwrap();
    let mut transaction = fixture.client.transaction().unwrap();
    transaction.batch_execute("set local role another").unwrap();
    let id = Call::get(&url).send(&mut transaction);
    transaction.commit().unwrap();
    let mut transaction = fixture.client.transaction().unwrap();
    transaction.batch_execute("set local role another").unwrap();
    let collected = format!("select (net._http_collect_response({id}, async := false)).status::text");
    assert_eq!(value::<String>(&mut transaction, &collected), "SUCCESS");
    transaction.commit().unwrap();
    fixture.client.batch_execute("drop role another").unwrap();
    // What it left is the owner's to see, and holds up nothing.
    assert_eq!(count(&mut fixture, &format!("id = {id}")), 1);
    fixture.assert_works();
}

/// One request at a time is claimed, so that most wait when they are deleted.
#[test]
fn rows_are_deleted_while_the_queue_is_worked_off() {
    let mut fixture = Fixture::new();
    fixture.cluster.alter_system("pg_net.batch_size", "1");
    fixture.cluster.alter_system("pg_net.max_in_flight_per_origin", "1");
    fixture.client.batch_execute("select net.worker_restart(); select net.wait_until_running()").unwrap();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    many(&mut fixture, &url, 10);
    fixture.receiver.wait_for(1);
    let deleted = "with deleted as (delete from net.http_request_queue returning *) select count(*) from deleted";
    assert_eq!(fixture.value::<i64>(deleted), 10);
    drop(gate);
    fixture.assert_works();
    assert_eq!(fixture.receiver.count(), 2, "the one that was under way, and the one after");
}

#[test]
fn a_worker_restarted_twice_amid_requests_records_all_responses() {
    let mut fixture = Fixture::new();
    fixture.cluster.alter_system("pg_net.batch_size", "1");
    let url = fixture.receiver.url("/delay/200");
    many(&mut fixture, &url, 5);
    for restart in 1..=2 {
        wait_until("an answer", PATIENCE, || count(&mut fixture, "true") >= restart);
        fixture.client.batch_execute("select net.worker_restart(); select net.wait_until_running()").unwrap();
    }
    wait_until("all answers", PATIENCE, || count(&mut fixture, "status_code = 200") == 5);
}

/// The worker that recorded them is gone when they expire.
#[test]
fn responses_expire_though_the_worker_was_restarted_meanwhile() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/kept");
    many(&mut fixture, &url, 10);
    wait_until("all answers", PATIENCE, || count(&mut fixture, "true") == 10);
    fixture.cluster.alter_system("pg_net.ttl", "3 seconds");
    let born: f64 = fixture.value("select extract(epoch from max(created))::float8 from net._http_response");
    fixture.client.batch_execute("select net.worker_restart(); select net.wait_until_running()").unwrap();
    wait_until("their end", PATIENCE, || count(&mut fixture, "true") == 0);
    let age: f64 = fixture.value(&format!("select extract(epoch from clock_timestamp())::float8 - {born}"));
    assert!(age >= 3.0, "after {age} s");
}

#[test]
fn the_worker_is_up_after_a_drop_amid_slow_requests() {
    let mut fixture = Fixture::new();
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    let url = fixture.receiver.url("/hang");
    many(&mut fixture, &url, 10);
    fixture.receiver.wait_for(1);
    fixture.client.batch_execute("drop extension pg_net cascade").unwrap();
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), worker, "it has not crashed");
    fixture.client.batch_execute("create extension pg_net").unwrap();
    let mut client = fixture.cluster.connect();
    client.batch_execute("select net.check_worker_is_up()").unwrap();
    let url = fixture.receiver.url("/again");
    let id = Call::get(&url).send(&mut client);
    assert_eq!(fixture.response(id).status_code, Some(200));
}

/// What the README gives to those who need the old behaviour.
#[test]
fn the_old_behaviour_comes_back_by_the_statements_that_are_given() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role web login; create role jobs login").unwrap();
    let [mut web, mut jobs] = ["web", "jobs"].map(|role| fixture.cluster.connect_as(role, "postgres"));
    let url = fixture.receiver.url("/repeat-headers");
    let id = Call::get(&url).send(&mut web);
    fixture.response(id);
    let seen = "select count(*) from net._http_response";
    assert_eq!(value::<i64>(&mut jobs, seen), 0);
    fixture.client.batch_execute("grant web to jobs").unwrap();
    assert_eq!(value::<i64>(&mut jobs, seen), 1);
    fixture.client.batch_execute("revoke web from jobs; select net.restore_open_access()").unwrap();
    assert_eq!(value::<i64>(&mut jobs, seen), 1);
    let last: String = value(&mut jobs, "select headers -> 'Set-Cookie' ->> -1 from net._http_response");
    assert_eq!(last, "b=2");
    fixture
        .client
        .batch_execute(
            "select net.revoke_open_access();
             grant execute on function net.worker_restart() to public;
             select net.set_queue_logged(false)",
        )
        .unwrap();
    assert!(value::<bool>(&mut web, "select net.worker_restart()"));
    let persistence = "select relpersistence::text from pg_class where oid = 'net.http_request_queue'::regclass";
    assert_eq!(fixture.value::<String>(persistence), "u");
    fixture.cluster.alter_system("pg_net.max_timeout_ms", "2147483647");
    assert_eq!(fixture.fetch(Call::get(&url).timeout(2_147_483_647)).status_code, Some(200));
}
