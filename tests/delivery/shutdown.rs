//! The server's shutdown, in each of its three ways, with requests in flight.

use std::time::{Duration, Instant};

use testkit::{Call, Shutdown, responses};

use crate::fixture::Fixture;

/// What is quick: the worker gives requests under way a second.
const QUICKLY: Duration = Duration::from_secs(4);

#[test]
fn a_shutdown_ends_quickly_and_what_was_in_flight_is_sent_again() {
    for how in [Shutdown::Smart, Shutdown::Fast, Shutdown::Immediate] {
        let Fixture { mut client, receiver, mut cluster } = Fixture::new();
        let gate = receiver.hold("/held");
        let url = receiver.url("/held");
        Call::get(&url).timeout(60_000).send_times(&mut client, 100);
        receiver.wait_for(100);
        // A smart shutdown waits for clients.
        client.close().unwrap();
        let start = Instant::now();
        cluster.stop(how);
        let took = start.elapsed();
        assert!(took < QUICKLY, "{how:?} took {took:?}");
        assert_eq!(receiver.count(), 100);

        gate.release();
        cluster.start();
        let mut client = cluster.connect();
        let answers = responses(&mut client, 100);
        assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{how:?}: {:?}", answers[0]);
        assert_eq!((answers.len(), receiver.count()), (100, 200), "{how:?}");
        let said = "the worker stops with 100 requests under way";
        assert_eq!(cluster.log().contains(said), how != Shutdown::Immediate, "{how:?}");
    }
}
