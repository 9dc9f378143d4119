//! Requests that are sent at most once, which leave the queue when they are claimed; and a pause.

use testkit::Call;

use super::{ON_THE_WIRE, Stalled};

/// Twenty, all of them claimed: they stand in no table.
fn ask_once(stalled: &mut Stalled, path: &str) -> testkit::Gate {
    let gate = stalled.ask_for(path, ON_THE_WIRE);
    let url = stalled.fixture.receiver.url(path);
    let ask = format!(
        "select count(net.http_request('POST', '{url}', n::text, delivery := 'at_most_once', \
                                       timeout_milliseconds := 60000)) from generate_series(101, 105) n"
    );
    assert_eq!(stalled.fixture.value::<i64>(&ask), 5);
    stalled.settle();
    let queued = "select count(*) from net.http_request_queue where delivery = 'at_most_once'";
    assert_eq!(stalled.fixture.value::<i64>(queued), 0, "they have left the queue");
    gate
}

#[test]
fn requests_sent_at_most_once_end_with_a_dropped_queue() {
    for end in ["truncate net.http_request_queue", "drop extension pg_net; create extension pg_net"] {
        let mut stalled = Stalled::new();
        let gate = ask_once(&mut stalled, "/slow");
        stalled.fixture.client.batch_execute(end).unwrap();
        gate.release();
        stalled.assert_nothing_is_left();
        assert_eq!(stalled.arrivals("/slow").0, ON_THE_WIRE, "{end}");
    }
}

/// A delete cannot reach it, and no answer says that it did.
#[test]
fn requests_sent_at_most_once_are_not_stopped_by_deleting_rows() {
    let mut stalled = Stalled::new();
    let gate = ask_once(&mut stalled, "/slow");
    let once = "array(select generate_series(6, 15)::bigint)";
    assert_eq!(stalled.fixture.value::<i64>(&format!("select net.cancel({once})")), 0);
    let deleted = stalled.fixture.client.execute("delete from net.http_request_queue", &[]).unwrap();
    assert_eq!(deleted, ON_THE_WIRE as u64);
    // A truncation that is rolled back has not been one.
    let undone = "begin; savepoint a; truncate net.http_request_queue; rollback to a; \
                  delete from net.http_request_queue; commit";
    stalled.fixture.client.batch_execute(undone).unwrap();
    gate.release();
    stalled.assert_nothing_is_left();
    assert_eq!(stalled.arrivals("/slow").0, ON_THE_WIRE + 5);
}

/// What comes after the truncation is not what it truncated, however close behind.
#[test]
fn requests_made_after_a_truncation_are_sent() {
    let mut stalled = Stalled::new();
    let url = stalled.fixture.receiver.url("/after");
    for round in 0..50 {
        let sent = format!("select net.http_request('POST', '{url}', '{round}'::text, delivery := 'at_most_once');");
        stalled
            .fixture
            .client
            .batch_execute(&format!("begin; truncate net.http_request_queue; commit; {sent}"))
            .unwrap();
        // Before the next one, which may stop it.
        let body = round.to_string();
        stalled.fixture.receiver.wait_for_request(&body, |request| request.body == body.as_bytes());
    }
    stalled.assert_nothing_is_left();
    stalled.assert_arrived_once_each("/after", 50);
}

#[test]
fn a_pause_holds_claimed_requests() {
    let mut stalled = Stalled::new();
    let gate = ask_once(&mut stalled, "/slow");
    let url = stalled.fixture.receiver.url("/more");
    stalled.fixture.send_times(Call::get(&url), 20);
    stalled.settle();
    stalled.fixture.cluster.alter_system("pg_net.paused", "on");
    // When the worker has heard of it, what is new waits.
    testkit::wait_until("the pause", testkit::PATIENCE, || {
        let aside = stalled.aside.count();
        let id = stalled.fixture.send(Call::get(&stalled.aside.url("/aside")));
        stalled.fixture.client.batch_execute("select pg_sleep(0.05)").unwrap();
        let waits = format!("select exists (select from net.http_request_queue where id = {id})");
        stalled.fixture.value::<bool>(&waits) && stalled.aside.count() == aside
    });
    gate.release();
    testkit::wait_until("the end of what is under way", testkit::PATIENCE, || {
        stalled.fixture.value::<i64>("select count(*) from net._http_response where url like '%/slow'") == 5
    });
    assert_eq!(stalled.arrivals("/slow").0, ON_THE_WIRE);
    assert_eq!(stalled.arrivals("/more").0, 0);
    stalled.fixture.cluster.alter_system("pg_net.paused", "off");
    stalled.fixture.receiver.wait_for(ON_THE_WIRE + 5 + 20);
    stalled.assert_nothing_is_left();
    assert_eq!((stalled.arrivals("/slow").0, stalled.arrivals("/more").0), (ON_THE_WIRE + 5, 20));
}
