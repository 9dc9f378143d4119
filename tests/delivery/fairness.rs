//! A role that floods the queue: the requests of others go out all the same.

use testkit::{Cluster, PATIENCE, Receiver, wait_until};

use crate::fixture::Fixture;

/// With room for 4 requests at once, 2 of them to one origin, so that a flood is soon one.
fn narrow() -> Fixture {
    let cluster =
        Cluster::builder().conf("pg_net.max_in_flight", "4").conf("pg_net.max_in_flight_per_origin", "2").start_ready();
    let mut fixture = Fixture::with(cluster);
    fixture.client.batch_execute("create role flooder; create role other").unwrap();
    fixture
}

/// How many of the flooder's requests came before the other's only one.
fn came_before(receivers: &[&Receiver]) -> usize {
    let all: Vec<_> = receivers.iter().flat_map(|receiver| receiver.requests()).collect();
    let other = all.iter().find(|request| request.path() == "/other").expect("the other's request");
    all.iter().filter(|request| request.path() == "/delay/20" && request.arrival < other.arrival).count()
}

#[test]
fn a_flood_to_one_origin_keeps_nobody_elses_request_to_it_waiting() {
    let mut fixture = narrow();
    let (flood, other) = (fixture.receiver.url("/delay/20"), fixture.receiver.url("/other"));
    fixture
        .client
        .batch_execute(&format!(
            "begin; set local role flooder;
             select count(net.http_get('{flood}?' || n)) from generate_series(1, 400) n;
             set local role other; select net.http_get('{other}'); commit"
        ))
        .unwrap();
    wait_until("all of them", PATIENCE, || fixture.value::<i64>("select count(*) from net.http_request_queue") == 0);
    assert_eq!(fixture.receiver.count(), 401);
    let before = came_before(&[&fixture.receiver]);
    assert!(before < 40, "{before} of the flood came first");
}

#[test]
fn a_flood_to_many_origins_keeps_nobody_elses_request_waiting() {
    let mut fixture = narrow();
    let receivers: Vec<_> = (0..12).map(|_| Receiver::start()).collect();
    let other = fixture.receiver.url("/other");
    let urls: Vec<_> = receivers.iter().map(|receiver| format!("'{}'", receiver.url("/delay/20"))).collect();
    fixture
        .client
        .batch_execute(&format!(
            "begin; set local role flooder;
             select count(net.http_get(url || '?' || n)) from unnest(array[{}]) url, generate_series(1, 30) n;
             set local role other; select net.http_get('{other}'); commit",
            urls.join(", ")
        ))
        .unwrap();
    wait_until("all of them", PATIENCE, || fixture.value::<i64>("select count(*) from net.http_request_queue") == 0);
    let mut all: Vec<_> = receivers.iter().collect();
    all.push(&fixture.receiver);
    assert_eq!(all.iter().map(|receiver| receiver.count()).sum::<usize>(), 361);
    let before = came_before(&all);
    assert!(before < 60, "{before} of the flood came first");
}
