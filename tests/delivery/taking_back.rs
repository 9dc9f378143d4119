//! Requests that are deleted, truncated away, or cancelled, one by one and by the million.

mod by_the_million;
mod forms;
mod once;
mod storm;

use std::collections::HashSet;

use postgres::Client;
use testkit::{Call, Cluster, Gate, PATIENCE, Receiver, response};

use crate::fixture::{Fixture, allow_at_most, value};

/// How many are on the wire while an origin answers nothing.
const ON_THE_WIRE: usize = 5;

/// A server that has a known number of requests on the wire, and the receiver of others.
struct Stalled {
    fixture: Fixture,
    aside: Receiver,
}

impl Stalled {
    fn new() -> Self {
        let cluster = Cluster::builder()
            .conf("pg_net.max_in_flight_per_origin", &ON_THE_WIRE.to_string())
            .conf("max_prepared_transactions", "5")
            .start_ready();
        let mut fixture = Fixture::with(cluster);
        allow_at_most(&mut fixture.client, PATIENCE);
        Self { fixture, aside: Receiver::start() }
    }

    /// Asks for a path that answers nothing until the gate is released, so often, in one commit. When it returns, as many as can
    /// be are on the wire, some more are claimed, and the others wait in the queue.
    fn ask_for(&mut self, path: &str, count: usize) -> Gate {
        let gate = self.fixture.receiver.hold(path);
        let before = self.fixture.receiver.count();
        let url = self.fixture.receiver.url(path);
        let ask = format!(
            "select count(net.http_request('POST', '{url}', n::text, timeout_milliseconds := 60000)) \
             from generate_series(1, {count}) n"
        );
        assert_eq!(self.fixture.value::<i64>(&ask), count as i64);
        self.fixture.receiver.wait_for(before + ON_THE_WIRE);
        self.settle();
        gate
    }

    /// Waits until the worker has claimed what it can: it reads the queue in order, and this stands behind all else.
    fn settle(&mut self) {
        let id = Call::get(&self.aside.url("/aside")).send(&mut self.fixture.client);
        assert_eq!(response(&mut self.fixture.client, id).status_code, Some(200));
    }

    /// Waits for a request to the same origin, which starts behind all that the worker has claimed of it.
    fn assert_nothing_is_left(&mut self) {
        for _ in 0..=ON_THE_WIRE {
            self.fixture.assert_works();
        }
        assert_eq!(self.fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
    }

    /// How often a path has arrived, and with how many different bodies.
    fn arrivals(&self, path: &str) -> (usize, usize) {
        let requests = self.fixture.receiver.requests();
        let of_path: Vec<_> = requests.iter().filter(|request| request.path() == path).collect();
        (of_path.len(), of_path.iter().map(|request| &request.body).collect::<HashSet<_>>().len())
    }

    fn assert_arrived_once_each(&self, path: &str, count: usize) {
        assert_eq!(self.arrivals(path), (count, count), "{path}");
    }
}

const CANCEL_ALL: &str = "select net.cancel(array_agg(id)) from net.http_request_queue";
const CANCEL_EACH: &str = "select count(*) filter (where net.cancel(id)) from net.http_request_queue";

#[test]
fn case_13a_nothing_goes_out_that_was_not_on_the_wire() {
    for end in [
        "delete from net.http_request_queue",
        "truncate net.http_request_queue",
        "drop extension pg_net",
        "drop extension pg_net cascade",
        CANCEL_ALL,
        CANCEL_EACH,
    ] {
        let mut stalled = Stalled::new();
        let gate = stalled.ask_for("/slow", 2000);
        stalled.fixture.client.batch_execute(end).unwrap_or_else(|error| panic!("{end}: {error}"));
        gate.release();
        if end.starts_with("drop") {
            stalled.fixture.client.batch_execute("create extension pg_net").unwrap();
        }
        stalled.assert_nothing_is_left();
        stalled.assert_arrived_once_each("/slow", ON_THE_WIRE);
    }
}

#[test]
fn case_13a_after_a_rollback_all_are_sent_once() {
    for end in ["delete from net.http_request_queue", "truncate net.http_request_queue", CANCEL_ALL, CANCEL_EACH] {
        let mut stalled = Stalled::new();
        let gate = stalled.ask_for("/slow", 500);
        stalled.fixture.client.batch_execute(&format!("begin; {end}")).unwrap();
        gate.release();
        stalled.fixture.client.batch_execute("rollback").unwrap();
        stalled.fixture.receiver.wait_for(500);
        stalled.assert_nothing_is_left();
        stalled.assert_arrived_once_each("/slow", 500);
    }
}

#[test]
fn case_13a_cancel_is_true_for_all_that_is_not_on_the_wire() {
    let mut stalled = Stalled::new();
    let gate = stalled.ask_for("/slow", 2000);
    let taken = |client: &mut Client, sql: &str| value::<i64>(client, sql);
    assert_eq!(
        taken(&mut stalled.fixture.client, &format!("{CANCEL_EACH} where id <= 1000")),
        1000 - ON_THE_WIRE as i64
    );
    assert_eq!(taken(&mut stalled.fixture.client, CANCEL_ALL), 1000);
    assert_eq!(taken(&mut stalled.fixture.client, CANCEL_ALL), 0, "a second time, with what is on the wire");
    gate.release();
    stalled.assert_nothing_is_left();
    stalled.assert_arrived_once_each("/slow", ON_THE_WIRE);
    let answered = stalled.fixture.value::<i64>("select count(*) from net._http_response where url like '%/slow'");
    assert_eq!(answered, ON_THE_WIRE as i64, "those on the wire were answered as ever");
}

/// Of what was claimed together, some go and some stay.
#[test]
fn what_a_delete_leaves_is_sent_once() {
    let mut stalled = Stalled::new();
    let gate = stalled.ask_for("/slow", 200);
    stalled.fixture.client.batch_execute("delete from net.http_request_queue where id % 2 = 0").unwrap();
    gate.release();
    stalled.assert_nothing_is_left();
    let arrived: HashSet<Vec<u8>> = (stalled.fixture.receiver.requests().iter())
        .filter(|request| request.path() == "/slow")
        .map(|request| request.body.clone())
        .collect();
    let odd = arrived.iter().filter(|body| body.last().is_some_and(|digit| digit % 2 == 1)).count();
    // The first ones were on the wire: 1 to 5, and so two that were deleted.
    assert_eq!((arrived.len(), odd), (100 + ON_THE_WIRE / 2, 100));
    assert_eq!(stalled.arrivals("/slow").0, 100 + ON_THE_WIRE / 2);
}
