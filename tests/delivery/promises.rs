//! What the C version's own tests promise, where no other test of ours shows it.

use testkit::{PATIENCE, Receiver, wait_until};

use crate::support::{Bench, ask, value};

/// Calls of one kind, in one statement and one commit.
fn many(bench: &mut Bench, url: &str, count: usize) {
    bench.client.batch_execute(&format!("select net.http_get('{url}') from generate_series(1, {count})")).unwrap();
}

fn count(bench: &mut Bench, condition: &str) -> i64 {
    bench.value(&format!("select count(*) from net._http_response where {condition}"))
}

#[test]
fn responses_of_requests_made_one_after_another_have_a_time_each() {
    let mut bench = Bench::new();
    (0..3).for_each(|_| _ = bench.get("/in-turn"));
    assert_eq!(bench.value::<i64>("select count(distinct created) from net._http_response"), 3);
}

#[test]
fn parameters_and_headers_may_be_null_in_their_places() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/plain");
    for call in [
        format!("select net.http_get('{url}', null::jsonb, null::jsonb, 2000)"),
        format!("select net.http_delete('{url}', null::jsonb, null::jsonb, 2000)"),
        format!("select net.http_post('{url}', null::jsonb, null::jsonb, null::jsonb, 2000)"),
    ] {
        let id = bench.ask(&call);
        assert_eq!(bench.response(id).status_code, Some(200), "{call}");
    }
    assert!(bench.receiver.requests().iter().all(|request| request.target == "/plain" && request.text().is_empty()));
}

/// Each with an attempt and a failure of its own; and who answers later is served at once.
#[test]
fn it_goes_on_after_ten_connections_were_refused() {
    let mut bench = Bench::new();
    let refusing = Receiver::refused_port();
    many(&mut bench, &refusing.url("/"), 10);
    let refused = "error_msg = 'Couldn''t connect to server' and attempts = 1 and status_code is null";
    wait_until("ten failures", PATIENCE, || count(&mut bench, refused) == 10);
    assert_eq!(count(&mut bench, "true"), 10);
    bench.assert_works();
}

#[test]
fn it_goes_on_after_a_server_closed_ten_connections_without_a_byte() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/close");
    many(&mut bench, &url, 10);
    let closed = "error_msg = 'Server returned nothing (no headers, no data)' and attempts = 1";
    wait_until("ten failures", PATIENCE, || count(&mut bench, closed) == 10);
    // The same server is asked as before.
    let url = bench.receiver.url("/status/200");
    many(&mut bench, &url, 10);
    wait_until("ten answers", PATIENCE, || count(&mut bench, "status_code = 200") == 10);
    assert_eq!(count(&mut bench, "true"), 20);
}

#[test]
fn a_role_that_was_made_later_asks_collects_and_can_be_dropped() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/later");
    bench.client.batch_execute("create role another").unwrap();
    let mut transaction = bench.client.transaction().unwrap();
    transaction.batch_execute("set local role another").unwrap();
    let id = value::<i64>(&mut transaction, &format!("select net.http_get('{url}')"));
    transaction.commit().unwrap();
    let mut transaction = bench.client.transaction().unwrap();
    transaction.batch_execute("set local role another").unwrap();
    let collected = format!("select (net._http_collect_response({id}, async := false)).status::text");
    assert_eq!(value::<String>(&mut transaction, &collected), "SUCCESS");
    transaction.commit().unwrap();
    bench.client.batch_execute("drop role another").unwrap();
    // What it left is the owner's to see, and holds up nothing.
    assert_eq!(count(&mut bench, &format!("id = {id}")), 1);
    bench.assert_works();
}

/// One request at a time is claimed, so that most wait when they are deleted.
#[test]
fn rows_are_deleted_while_the_queue_is_worked_off() {
    let mut bench = Bench::new();
    bench.cluster.alter_system("pg_net.batch_size", "1");
    bench.cluster.alter_system("pg_net.max_in_flight_per_origin", "1");
    bench.client.batch_execute("select net.worker_restart(); select net.wait_until_running()").unwrap();
    let gate = bench.receiver.hold("/held");
    let url = bench.receiver.url("/held");
    many(&mut bench, &url, 10);
    bench.receiver.wait_for(1);
    let deleted = "with deleted as (delete from net.http_request_queue returning *) select count(*) from deleted";
    assert_eq!(bench.value::<i64>(deleted), 10);
    drop(gate);
    bench.assert_works();
    assert_eq!(bench.receiver.count(), 2, "the one that was under way, and the one after");
}

#[test]
fn restarted_twice_while_it_works_it_answers_all() {
    let mut bench = Bench::new();
    bench.cluster.alter_system("pg_net.batch_size", "1");
    let url = bench.receiver.url("/delay/200");
    many(&mut bench, &url, 5);
    for restart in 1..=2 {
        wait_until("an answer", PATIENCE, || count(&mut bench, "true") >= restart);
        bench.client.batch_execute("select net.worker_restart(); select net.wait_until_running()").unwrap();
    }
    wait_until("all answers", PATIENCE, || count(&mut bench, "status_code = 200") == 5);
}

/// Nobody is left who knew when they were recorded.
#[test]
fn responses_expire_though_the_worker_was_restarted_meanwhile() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/kept");
    many(&mut bench, &url, 10);
    wait_until("all answers", PATIENCE, || count(&mut bench, "true") == 10);
    bench.cluster.alter_system("pg_net.ttl", "3 seconds");
    let born: f64 = bench.value("select extract(epoch from max(created))::float8 from net._http_response");
    bench.client.batch_execute("select net.worker_restart(); select net.wait_until_running()").unwrap();
    wait_until("their end", PATIENCE, || count(&mut bench, "true") == 0);
    let age: f64 = bench.value(&format!("select extract(epoch from clock_timestamp())::float8 - {born}"));
    assert!(age >= 3.0, "after {age} s");
}

#[test]
fn the_worker_is_up_after_a_drop_amid_slow_requests() {
    let mut bench = Bench::new();
    let worker = bench.cluster.worker_pid(&mut bench.client);
    let url = bench.receiver.url("/hang");
    many(&mut bench, &url, 10);
    bench.receiver.wait_for(1);
    bench.client.batch_execute("drop extension pg_net cascade").unwrap();
    assert_eq!(bench.cluster.worker_pid(&mut bench.client), worker, "it has not crashed");
    bench.client.batch_execute("create extension pg_net").unwrap();
    let mut client = bench.cluster.connect();
    client.batch_execute("select net.check_worker_is_up()").unwrap();
    let url = bench.receiver.url("/again");
    let id = ask(&mut client, &format!("select net.http_get('{url}')"));
    assert_eq!(bench.response(id).status_code, Some(200));
}

/// What the README gives to those who need the old behaviour.
#[test]
fn the_old_behaviour_comes_back_by_the_statements_that_are_given() {
    let mut bench = Bench::new();
    bench.client.batch_execute("create role web login; create role jobs login").unwrap();
    let [mut web, mut jobs] = ["web", "jobs"].map(|role| bench.cluster.connect_as(role, "postgres"));
    let url = bench.receiver.url("/repeat-headers");
    let id = ask(&mut web, &format!("select net.http_get('{url}')"));
    bench.response(id);
    let seen = "select count(*) from net._http_response";
    assert_eq!(value::<i64>(&mut jobs, seen), 0);
    bench.client.batch_execute("grant web to jobs").unwrap();
    assert_eq!(value::<i64>(&mut jobs, seen), 1);
    bench.client.batch_execute("revoke web from jobs; select net.restore_open_access()").unwrap();
    assert_eq!(value::<i64>(&mut jobs, seen), 1);
    let last: String = value(&mut jobs, "select headers -> 'Set-Cookie' ->> -1 from net._http_response");
    assert_eq!(last, "b=2");
    bench
        .client
        .batch_execute(
            "select net.revoke_open_access();
             grant execute on function net.worker_restart() to public;
             select net.set_queue_logged(false)",
        )
        .unwrap();
    assert!(value::<bool>(&mut web, "select net.worker_restart()"));
    let persistence = "select relpersistence::text from pg_class where oid = 'net.http_request_queue'::regclass";
    assert_eq!(bench.value::<String>(persistence), "u");
    bench.cluster.alter_system("pg_net.max_timeout_ms", "2147483647");
    let id = bench.ask(&format!("select net.http_get('{url}', timeout_milliseconds := 2147483647)"));
    assert_eq!(bench.response(id).status_code, Some(200));
}
