//! Rows of the queue that another session holds locked: their outcomes wait, and nothing else does.

use testkit::{PATIENCE, wait_until};

use crate::support::Bench;

fn queued(bench: &mut Bench) -> i64 {
    bench.value("select count(*) from net.http_request_queue")
}

#[test]
fn a_row_locked_in_flight_is_recorded_when_the_lock_is_gone_and_holds_up_no_other() {
    let mut bench = Bench::new();
    let gate = bench.receiver.hold("/held");
    let url = bench.receiver.url("/held");
    let id = bench.ask(&format!("select net.http_get('{url}', timeout_milliseconds := 60000)"));
    bench.received("/held");
    let mut locker = bench.cluster.connect();
    locker.batch_execute("begin; select from net.http_request_queue for update").unwrap();
    gate.release();
    for _ in 0..3 {
        bench.assert_works();
    }
    assert_eq!(queued(&mut bench), 1, "the locked one");
    locker.batch_execute("rollback").unwrap();
    assert_eq!(bench.response(id).status_code, Some(200));
    assert_eq!((queued(&mut bench), bench.receiver.count()), (0, 4));
}

#[test]
fn a_row_deleted_in_flight_by_an_open_transaction_holds_up_no_other() {
    let mut bench = Bench::new();
    let gate = bench.receiver.hold("/held");
    let url = bench.receiver.url("/held");
    bench.ask(&format!("select net.http_get('{url}', timeout_milliseconds := 60000)"));
    bench.received("/held");
    let mut deleter = bench.cluster.connect();
    deleter.batch_execute("begin; delete from net.http_request_queue").unwrap();
    gate.release();
    bench.assert_works();
    deleter.batch_execute("commit").unwrap();
    bench.assert_works();
    wait_until("an empty queue", PATIENCE, || queued(&mut bench) == 0);
    assert_eq!(bench.value::<i64>("select count(*) from net._http_response"), 2, "the deleted one has none");
}

#[test]
fn a_cancel_does_not_end_the_worker() {
    let mut bench = Bench::new();
    bench.assert_works();
    let pid = bench.cluster.worker_pid(&mut bench.client);
    for _ in 0..20 {
        assert!(bench.value::<bool>(&format!("select pg_cancel_backend({pid})")));
        bench.assert_works();
    }
    assert_eq!(bench.cluster.worker_pid(&mut bench.client), pid);
}
