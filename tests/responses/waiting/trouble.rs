//! What cannot be waited for is said at once, and a wait can be broken off.

use std::thread;
use std::time::Duration;

use postgres::Client;
use testkit::{Call, PATIENCE};

use super::{ask_held, success, wait_for, wait_for_sleepers};
use crate::fixture::{Fixture, allow_at_most, error_of, value};

/// Waits that must fail, and do so long before their timeout.
#[track_caller]
fn assert_fails(client: &mut Client, waits: &str, state: &str, message: &str) {
    client.batch_execute("savepoint s").unwrap();
    assert_eq!(error_of(client, waits), (state.to_owned(), message.to_owned()), "{waits}");
    client.batch_execute("rollback to s; release s").unwrap();
}

#[test]
fn awaiting_a_request_of_the_same_open_transaction_is_refused() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, Duration::from_secs(5));
    let url = fixture.receiver.url("/never");
    fixture.client.batch_execute("begin").unwrap();
    let top = fixture.send(Call::get(&url));
    fixture.client.batch_execute("savepoint a").unwrap();
    let inner = fixture.send(Call::get(&url));
    for id in [top, inner] {
        let message = format!("request {id} was made by this transaction, which has not committed yet");
        for call in ["await_response(ID)", "await_responses(array[ID])", "_await_response(ID)"] {
            let call = format!("select net.{}", call.replace("ID", &id.to_string()));
            assert_fails(&mut fixture.client, &call, "55000", &message);
        }
    }
    let at_once = format!("select net.await_response(net.http_get('{url}'))");
    assert_fails(
        &mut fixture.client,
        &at_once,
        "55000",
        "request 3 was made by this transaction, which has not committed yet",
    );
    fixture.client.batch_execute("rollback to a").unwrap();
    let gone = format!("request {inner} does not exist");
    assert_fails(&mut fixture.client, &format!("select net.await_response({inner})"), "P0002", &gone);
    fixture.client.batch_execute("rollback").unwrap();
    fixture.assert_works();
    assert_eq!(fixture.receiver.count(), 1);
}

#[test]
fn awaiting_a_request_that_does_not_exist_is_refused() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, Duration::from_secs(5));
    let gate = fixture.receiver.hold("/held");
    let held = ask_held(&mut fixture, "/held");
    let message = "request 12345 does not exist";
    fixture.client.batch_execute("begin").unwrap();
    assert_fails(&mut fixture.client, "select net.await_response(12345)", "P0002", message);
    assert_fails(&mut fixture.client, &format!("select net.await_responses(array[{held}, 12345])"), "P0002", message);
    fixture.client.batch_execute("rollback").unwrap();
    assert!(!fixture.value::<bool>("select net._await_response(12345)"));
    assert!(!fixture.value::<bool>("select net._await_response(null)"));
    gate.release();
    fixture.response(held);
}

#[test]
fn awaiting_a_request_of_another_role_is_refused_as_if_it_did_not_exist() {
    let mut fixture = Fixture::new();
    fixture
        .client
        .batch_execute("create role ann login; create role bob login; create role eve login; grant ann to eve")
        .unwrap();
    fixture.client.batch_execute("create role reader login; grant pg_read_all_data to reader").unwrap();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let mut ann = fixture.cluster.connect_as("ann", "postgres");
    let id = Call::get(&url).timeout(60_000).send(&mut ann);
    fixture.received("/held");
    let mut bob = fixture.cluster.connect_as("bob", "postgres");
    let message = format!("request {id} does not exist");
    let wait = format!("select net.await_response({id})");
    assert_eq!(error_of(&mut bob, &wait), ("P0002".into(), message.clone()));
    gate.release();
    fixture.response(id);
    assert_eq!(error_of(&mut bob, &wait), ("P0002".into(), message));
    for role in ["ann", "eve", "reader", "postgres"] {
        let mut client = fixture.cluster.connect_as(role, "postgres");
        assert_eq!(wait_for(&mut client, id, ""), success(200, "ok"), "{role}");
    }
}

#[test]
fn arguments_of_await_response_that_make_no_sense_are_refused() {
    let mut fixture = Fixture::new();
    for (call, state, message) in [
        ("await_response(null)", "22004", "request_id must not be null"),
        ("await_response(1, null)", "22004", "timeout must not be null"),
        ("await_response(1, '-1 second')", "22023", "timeout must not be negative"),
        ("await_responses('{}', '-1 month')", "22023", "timeout must not be negative"),
    ] {
        let error = error_of(&mut fixture.client, &format!("select net.{call}"));
        assert_eq!(error, (state.to_owned(), message.to_owned()), "{call}");
    }
}

#[test]
fn a_wait_that_is_cancelled_or_terminated_leaves_nothing_behind() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    let id = ask_held(&mut fixture, "/held");
    let wait = format!("select net.await_response({id}, '1 hour')");
    for end in ["pg_cancel_backend", "pg_terminate_backend"] {
        let mut waiter = fixture.cluster.connect();
        let pid: i32 = value(&mut waiter, "select pg_backend_pid()");
        thread::scope(|scope| {
            let waiting = scope.spawn(|| waiter.batch_execute(&wait).unwrap_err());
            wait_for_sleepers(&mut fixture.client, 1, "await_response");
            fixture.client.batch_execute(&format!("select {end}({pid})")).unwrap();
            let error = waiting.join().unwrap();
            // One that is terminated may find the connection closed before it reads why.
            assert!(error.is_closed() || error.code().is_some_and(|code| code.code().starts_with("57")), "{error:?}");
        });
    }
    gate.release();
    assert_eq!(wait_for(&mut fixture.client, id, ""), success(200, "ok"));
}

/// An error within a look, such as of a right that is missing, is one that an exception block can handle.
#[test]
fn an_error_of_await_response_can_be_caught() {
    let mut fixture = Fixture::new();
    fixture
        .client
        .batch_execute("create role ann login; revoke select on net._http_response from public; create table t (x text); grant all on t to ann")
        .unwrap();
    let mut ann = fixture.cluster.connect_as("ann", "postgres");
    allow_at_most(&mut ann, PATIENCE);
    ann.batch_execute(
        "do $$ begin
             insert into t values ('before');
             begin
                 insert into t values ('lost');
                 perform net.await_response(1);
             exception when insufficient_privilege then
                 insert into t values ('caught');
             end;
             insert into t values ('after');
         end $$",
    )
    .unwrap();
    assert_eq!(fixture.value::<String>("select string_agg(x, ',') from t"), "before,caught,after");
}
