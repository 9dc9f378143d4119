//! Deletes that follow each other faster than the worker can look.

use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::thread;
use std::time::{Duration, Instant};

use testkit::{Cluster, PATIENCE, Receiver, wait_until};

use crate::fixture::{Fixture, value};

/// What waits beside what is asked for: the worker looks after all that it has claimed.
const CLAIMED: usize = 1500;

#[test]
fn requests_that_remain_are_sent_while_sessions_delete_all_the_time() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.max_in_flight_per_origin", "500").start_ready());
    let slow = Receiver::start();
    let _gate = slow.hold("/held");
    let ask = |url: &str, count: usize| {
        format!(
            "select count(net.http_request('POST', '{url}', n::text, timeout_milliseconds := 60000)) \
             from generate_series(1, {count}) n"
        )
    };
    fixture.client.batch_execute(&ask(&slow.url("/held"), CLAIMED)).unwrap();
    slow.wait_for(500);
    fixture
        .client
        .batch_execute(
            "create procedure delete_all_the_time() language plpgsql as $$
             begin
                 for n in 1..1000 loop
                     delete from net.http_request_queue where false; commit;
                 end loop;
             end $$",
        )
        .unwrap();
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let (cluster, done) = (&fixture.cluster, &done);
        for _ in 0..2 {
            scope.spawn(move || {
                let mut client = cluster.connect();
                let start = Instant::now();
                while !done.load(SeqCst) && start.elapsed() < PATIENCE {
                    client.batch_execute("call delete_all_the_time()").unwrap();
                }
            });
        }
        let storming = "select count(*) = 2 from pg_stat_activity where query like 'call %' and state = 'active'";
        wait_until("the deletes", PATIENCE, || value::<bool>(&mut fixture.client, storming));
        let url = fixture.receiver.url("/kept");
        fixture.client.batch_execute(&ask(&url, 2000)).unwrap();
        let start = Instant::now();
        fixture.receiver.wait_for(2000);
        println!("all had arrived after {:?}", start.elapsed());
        assert!(start.elapsed() < PATIENCE / 2 && start.elapsed() < Duration::from_secs(20));
        done.store(true, SeqCst);
    });
    testkit::responses(&mut fixture.client, 2000);
    assert_eq!(fixture.receiver.count(), 2000);
}
