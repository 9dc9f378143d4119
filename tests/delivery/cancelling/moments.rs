//! What else may happen at the moment of a cancel.

use std::thread;

use postgres::Client;
use testkit::{Call, PATIENCE, wait_until};

use super::{STANDINGS, arrivals, ask_waiting, cancel, crowded, crowded_so_that_the_next_is};
use crate::fixture::{Fixture, allow_at_most, value};

/// Takes a request back, and leaves the transaction open.
fn begin_cancel(client: &mut Client, id: i64) {
    allow_at_most(client, PATIENCE);
    client.batch_execute("begin").unwrap();
    assert!(cancel(client, id));
}

/// While the worker has room and claims all else.
#[test]
fn nothing_is_sent_while_a_cancel_is_uncommitted() {
    for (standing, end) in STANDINGS.into_iter().flat_map(|standing| [(standing, "commit"), (standing, "rollback")]) {
        let (mut fixture, gate) = crowded_so_that_the_next_is(standing);
        let id = ask_waiting(&mut fixture, "/open");
        let after = ask_waiting(&mut fixture, "/after");
        let mut canceller = fixture.cluster.connect();
        begin_cancel(&mut canceller, id);
        gate.release();
        assert_eq!(fixture.response(after).status_code, Some(200));
        for _ in 0..3 {
            fixture.assert_works();
        }
        assert_eq!(arrivals(&fixture, "/open"), 0, "{end}: it is not known yet");
        canceller.batch_execute(end).unwrap();
        if end == "rollback" {
            assert_eq!(fixture.response(id).status_code, Some(200));
        }
        fixture.assert_works();
        assert_eq!(arrivals(&fixture, "/open"), usize::from(end == "rollback"), "{end}");
        assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
    }
}

/// Also when it was nothing but due, or is sent at most once: other ways by which the worker meets a row.
#[test]
fn requests_of_every_kind_are_left_alone_while_a_cancel_is_uncommitted() {
    let (mut fixture, gate) = crowded();
    let url = fixture.receiver.url("/open");
    let once = fixture.send(Call::request("GET", &url).at_most_once());
    let due = fixture.send(Call::request("GET", &url).not_before("now() + '300 ms'"));
    let mut cancellers = [fixture.cluster.connect(), fixture.cluster.connect()];
    begin_cancel(&mut cancellers[0], once);
    begin_cancel(&mut cancellers[1], due);
    gate.release();
    wait_until("the due time to pass", PATIENCE, || {
        fixture.value::<bool>(&format!(
            "select due < now() - interval '200 ms' from net.http_request_queue where id = {due}"
        ))
    });
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/open"), 0);
    for canceller in &mut cancellers {
        canceller.batch_execute("rollback").unwrap();
    }
    assert_eq!(fixture.response(once).status_code, Some(200));
    assert_eq!(fixture.response(due).status_code, Some(200));
    assert_eq!(arrivals(&fixture, "/open"), 2);
}

#[test]
fn a_session_that_ends_rolls_its_cancel_back() {
    for standing in STANDINGS {
        let (mut fixture, gate) = crowded_so_that_the_next_is(standing);
        let id = ask_waiting(&mut fixture, "/open");
        let mut canceller = fixture.cluster.connect();
        let pid: i32 = value(&mut canceller, "select pg_backend_pid()");
        begin_cancel(&mut canceller, id);
        gate.release();
        fixture.assert_works();
        assert_eq!(arrivals(&fixture, "/open"), 0);
        fixture.client.batch_execute(&format!("select pg_terminate_backend({pid})")).unwrap();
        assert_eq!(fixture.response(id).status_code, Some(200));
        assert_eq!(arrivals(&fixture, "/open"), 1);
    }
}

#[test]
fn a_rollback_to_a_savepoint_undoes_a_cancel() {
    for standing in STANDINGS {
        let (mut fixture, gate) = crowded_so_that_the_next_is(standing);
        let (kept, lost) = (ask_waiting(&mut fixture, "/kept"), ask_waiting(&mut fixture, "/lost"));
        let mut canceller = fixture.cluster.connect();
        canceller.batch_execute("begin; savepoint a").unwrap();
        assert!(cancel(&mut canceller, kept));
        canceller.batch_execute("rollback to a").unwrap();
        assert!(cancel(&mut canceller, lost));
        gate.release();
        canceller.batch_execute("commit").unwrap();
        assert_eq!(fixture.response(kept).status_code, Some(200));
        fixture.assert_works();
        assert_eq!((arrivals(&fixture, "/kept"), arrivals(&fixture, "/lost")), (1, 0));
    }
}

/// The new worker knows nothing of what the old one has answered.
#[test]
fn a_worker_that_starts_during_a_cancel_leaves_the_request_alone() {
    for (standing, end) in STANDINGS.into_iter().flat_map(|standing| [(standing, "commit"), (standing, "rollback")]) {
        let (mut fixture, gate) = crowded_so_that_the_next_is(standing);
        let id = ask_waiting(&mut fixture, "/open");
        let mut canceller = fixture.cluster.connect();
        begin_cancel(&mut canceller, id);
        fixture.client.batch_execute("select net.worker_restart()").unwrap();
        fixture.client.batch_execute("select net.wait_until_running()").unwrap();
        gate.release();
        fixture.assert_works();
        assert_eq!(arrivals(&fixture, "/open"), 0);
        canceller.batch_execute(end).unwrap();
        if end == "rollback" {
            assert_eq!(fixture.response(id).status_code, Some(200));
        }
        fixture.assert_works();
        assert_eq!(arrivals(&fixture, "/open"), usize::from(end == "rollback"), "{end}");
    }
}

#[test]
fn without_a_worker_all_that_waits_is_cancelled() {
    let mut fixture = Fixture::new();
    // No session can come as a role that does not exist, to whichever database.
    fixture.client.batch_execute("alter system set pg_net.username = 'nobody'").unwrap();
    fixture.client.batch_execute("select net.worker_restart()").unwrap();
    wait_until("the worker to be gone", PATIENCE, || {
        fixture.client.batch_execute("select net.check_worker_is_up()").is_err()
    });
    let (lost, kept) = (ask_waiting(&mut fixture, "/lost"), ask_waiting(&mut fixture, "/kept"));
    let mut canceller = fixture.cluster.connect();
    begin_cancel(&mut canceller, lost);
    let mut other = fixture.cluster.connect();
    begin_cancel(&mut other, kept);
    other.batch_execute("rollback").unwrap();
    // It starts while the one is open.
    fixture.client.batch_execute("alter system reset pg_net.username").unwrap();
    fixture.client.batch_execute("select net.worker_restart()").unwrap();
    assert_eq!(fixture.response(kept).status_code, Some(200));
    canceller.batch_execute("commit").unwrap();
    fixture.assert_works();
    assert_eq!((arrivals(&fixture, "/kept"), arrivals(&fixture, "/lost")), (1, 0));
}

/// The second waits for the first, and takes back what that gives back.
#[test]
fn of_two_sessions_that_cancel_the_same_request_one_succeeds() {
    let ends = [("commit", false), ("rollback", true)];
    for (standing, (end, second_succeeds)) in STANDINGS.into_iter().flat_map(|standing| ends.map(|end| (standing, end)))
    {
        let (mut fixture, gate) = crowded_so_that_the_next_is(standing);
        let id = ask_waiting(&mut fixture, "/open");
        let (mut first, mut second) = (fixture.cluster.connect(), fixture.cluster.connect());
        begin_cancel(&mut first, id);
        thread::scope(|scope| {
            let waiting = scope.spawn(|| cancel(&mut second, id));
            let blocked =
                "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and query like '%cancel%'";
            wait_until("the second to wait for the first", PATIENCE, || fixture.value::<i64>(blocked) == 1);
            gate.release();
            fixture.assert_works();
            first.batch_execute(end).unwrap();
            assert_eq!(waiting.join().unwrap(), second_succeeds, "{end}");
        });
        fixture.assert_works();
        assert_eq!(arrivals(&fixture, "/open"), 0, "{end}");
    }
}

/// A worker that waits for a lock answers when it gives that up; until then nothing is decided.
#[test]
fn a_cancel_waits_for_a_locked_table() {
    let (mut fixture, gate) = crowded();
    let id = ask_waiting(&mut fixture, "/open");
    let mut locker = fixture.cluster.connect();
    locker.batch_execute("begin; lock table net.http_request_queue in share row exclusive mode").unwrap();
    gate.release();
    let waits = "select count(*) from pg_stat_activity where backend_type like '%pg_net%' and wait_event_type = 'Lock'";
    wait_until("the worker to wait for the lock", PATIENCE, || fixture.value::<i64>(waits) == 1);
    let mut canceller = fixture.cluster.connect();
    allow_at_most(&mut canceller, PATIENCE);
    let taken = thread::scope(|scope| {
        let waiting = scope.spawn(|| cancel(&mut canceller, id));
        let asleep = "select count(*) from pg_stat_activity where wait_event is not null and query like '%net.cancel(%'
                       and pid <> pg_backend_pid()";
        wait_until("the cancel to wait", PATIENCE, || fixture.value::<i64>(asleep) >= 1);
        locker.batch_execute("commit").unwrap();
        waiting.join().unwrap()
    });
    if !taken {
        fixture.response(id);
    }
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/open"), usize::from(!taken));
}
