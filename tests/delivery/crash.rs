//! Crashes: what was committed is sent, whatever dies.

use std::collections::BTreeSet;

use testkit::{Call, PATIENCE, Receiver, kill, responses, wait_until};

use crate::fixture::{Fixture, assert_works, reconnect};

/// The ids that reached a receiver, which stand in the query.
fn ids_at(receiver: &Receiver) -> BTreeSet<i64> {
    let requests = receiver.requests();
    let ids = requests.iter().filter_map(|request| request.query()?.strip_prefix("id=")?.parse().ok());
    ids.collect()
}

/// Puts 500 requests in flight: more than one origin's share, so to three.
fn five_hundred(fixture: &mut Fixture, others: &[Receiver; 2]) -> BTreeSet<i64> {
    let receivers = [&fixture.receiver, &others[0], &others[1]];
    for (receiver, (first, last)) in receivers.into_iter().zip([(1, 200), (201, 400), (401, 500)]) {
        let url = receiver.url("/held");
        let ask = format!(
            "select id = net.http_get('{url}?id=' || id, timeout_milliseconds := 60000)
               from generate_series({first}, {last}) as id"
        );
        let asked = fixture.client.query(&ask, &[]).unwrap();
        assert!(asked.iter().all(|row| row.get(0)), "the ids of a new database begin with 1");
        receiver.wait_for(last - first + 1);
    }
    (1..=500).collect()
}

fn assert_all_answered(fixture: &mut Fixture, others: &[Receiver; 2], ids: &BTreeSet<i64>) {
    let answers = responses(&mut fixture.client, 500);
    let answered: BTreeSet<i64> = answers.iter().map(|answer| answer.id.unwrap()).collect();
    assert_eq!(&answered, ids);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    let mut reached = ids_at(&fixture.receiver);
    reached.extend(others.iter().flat_map(ids_at));
    assert_eq!(&reached, ids);
    wait_until("an empty queue", PATIENCE, || fixture.value::<i64>("select count(*) from net.http_request_queue") == 0);
}

#[test]
fn the_worker_killed_with_500_requests_in_flight_sends_those_again_and_no_others() {
    let mut fixture = Fixture::new();
    let others = [Receiver::start(), Receiver::start()];
    let gates = [fixture.receiver.hold("/held"), others[0].hold("/held"), others[1].hold("/held")];
    let ids = five_hundred(&mut fixture, &others);
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    kill(pid);
    reconnect(&mut fixture);
    drop(gates);
    assert_all_answered(&mut fixture, &others, &ids);
    fixture.assert_works();
}

#[test]
fn the_server_killed_with_500_requests_in_flight_sends_those_again_and_no_others() {
    let mut fixture = Fixture::with(testkit::Cluster::builder().durable().start_ready());
    let others = [Receiver::start(), Receiver::start()];
    let gates = [fixture.receiver.hold("/held"), others[0].hold("/held"), others[1].hold("/held")];
    let ids = five_hundred(&mut fixture, &others);
    fixture.cluster.kill_postmaster();
    drop(gates);
    fixture.cluster.start();
    fixture.client = fixture.cluster.connect();
    assert_all_answered(&mut fixture, &others, &ids);
    fixture.assert_works();
}

/// The crash of a backend ends the worker as it ends every backend.
#[test]
fn a_crash_of_another_backend_loses_no_request() {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    let mut victim = fixture.cluster.connect();
    kill(crate::fixture::value(&mut victim, "select pg_backend_pid()"));
    reconnect(&mut fixture);
    fixture.assert_works();
}

#[test]
fn ids_go_on_after_a_crash() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    let before = fixture.send(Call::get(&url));
    fixture.response(before);
    fixture.cluster.kill_postmaster();
    fixture.cluster.start();
    fixture.client = fixture.cluster.connect();
    assert_works(&mut fixture.client, &fixture.receiver);
    let after = fixture.send(Call::get(&url));
    assert!(after > before, "{after} after {before}");
}
