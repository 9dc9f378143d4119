//! A request is sent when its transaction commits, and never otherwise.

use testkit::{Cluster, PATIENCE, Receiver, wait_until};

use crate::support::{Bench, ask, assert_works, value};

/// The paths that the receiver got, but for those of `assert_works`.
fn paths(receiver: &Receiver) -> Vec<String> {
    let requests = receiver.requests();
    requests.iter().map(|request| request.target.clone()).filter(|path| !path.starts_with("/works")).collect()
}

#[test]
fn nothing_is_sent_before_the_commit() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/late");
    let mut transaction = bench.client.transaction().unwrap();
    let id: i64 = transaction.query_one(&format!("select net.http_get('{url}')"), &[]).unwrap().get(0);
    // Another session's request gets through meanwhile: there was time.
    assert_works(&mut bench.cluster.connect(), &bench.receiver);
    assert_eq!(paths(&bench.receiver), [""; 0]);
    transaction.commit().unwrap();
    assert_eq!(bench.response(id).status_code, Some(200));
    assert_eq!(paths(&bench.receiver), ["/late"]);
}

/// Its ids are lower than those of the transaction that commits before it.
#[test]
fn a_transaction_that_began_earlier_and_commits_later_is_not_skipped() {
    let mut bench = Bench::new();
    let mut early = bench.cluster.connect();
    let mut transaction = early.transaction().unwrap();
    let url = bench.receiver.url("/early");
    let first: i64 = transaction.query_one(&format!("select net.http_get('{url}')"), &[]).unwrap().get(0);
    for _ in 0..3 {
        bench.assert_works();
    }
    transaction.commit().unwrap();
    assert_eq!(bench.response(first).status_code, Some(200));
    assert_eq!(paths(&bench.receiver), ["/early"]);
}

#[test]
fn a_rollback_sends_nothing() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/never");
    bench
        .client
        .batch_execute(&format!(
            "begin; select net.http_get('{url}'), net.http_post('{url}'), net.http_delete('{url}'); rollback"
        ))
        .unwrap();
    bench.assert_works();
    assert_eq!(paths(&bench.receiver), [""; 0]);
    assert_eq!(bench.value::<i64>("select count(*) from net._http_response"), 1);
}

#[test]
fn a_rollback_to_a_savepoint_takes_back_what_came_after_it() {
    let mut bench = Bench::new();
    let (kept, dropped, last) =
        (bench.receiver.url("/kept"), bench.receiver.url("/dropped"), bench.receiver.url("/last"));
    bench
        .client
        .batch_execute(&format!(
            "begin;
             select net.http_get('{kept}');
             savepoint a;
             select net.http_get('{dropped}');
             rollback to a;
             savepoint b;
             select net.http_get('{last}');
             release b;
             commit"
        ))
        .unwrap();
    assert_eq!(bench.response(1).status_code, Some(200));
    assert_eq!(bench.response(3).status_code, Some(200));
    bench.assert_works();
    let mut sent = paths(&bench.receiver);
    sent.sort_unstable();
    assert_eq!(sent, ["/kept", "/last"]);
}

#[test]
fn a_request_made_only_within_a_savepoint_is_sent() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/inner");
    bench
        .client
        .batch_execute(&format!("begin; savepoint a; select net.http_get('{url}'); release a; commit"))
        .unwrap();
    assert_eq!(bench.response(1).status_code, Some(200));
    bench.received("/inner");
}

#[test]
fn an_exception_block_takes_back_its_requests_alone() {
    let mut bench = Bench::new();
    let (kept, dropped) = (bench.receiver.url("/kept"), bench.receiver.url("/dropped"));
    bench
        .client
        .batch_execute(&format!(
            "do $$ begin
                 perform net.http_get('{kept}');
                 begin
                     perform net.http_get('{dropped}');
                     raise 'stop';
                 exception when others then null;
                 end;
             end $$"
        ))
        .unwrap();
    assert_eq!(bench.response(1).status_code, Some(200));
    bench.assert_works();
    assert_eq!(paths(&bench.receiver), ["/kept"]);
}

#[test]
fn a_prepared_transaction_sends_when_another_session_commits_it() {
    let mut bench = Bench::with(Cluster::builder().conf("max_prepared_transactions", "5").start_ready());
    let (url, never) = (bench.receiver.url("/prepared"), bench.receiver.url("/never"));
    bench.client.batch_execute(&format!("begin; select net.http_get('{url}'); prepare transaction 'a'")).unwrap();
    bench.client.batch_execute(&format!("begin; select net.http_get('{never}'); prepare transaction 'b'")).unwrap();
    bench.assert_works();
    assert_eq!(paths(&bench.receiver), [""; 0]);
    let mut other = bench.cluster.connect();
    other.batch_execute("commit prepared 'a'").unwrap();
    other.batch_execute("rollback prepared 'b'").unwrap();
    assert_eq!(bench.response(1).status_code, Some(200));
    bench.assert_works();
    assert_eq!(paths(&bench.receiver), ["/prepared"]);
}

#[test]
fn a_procedure_that_commits_sends_as_it_goes() {
    let mut bench = Bench::new();
    let (first, second, never) =
        (bench.receiver.url("/first"), bench.receiver.url("/second"), bench.receiver.url("/never"));
    bench
        .client
        .batch_execute(&format!(
            "create procedure go() language plpgsql as $$ begin
                 perform net.http_get('{first}');
                 commit;
                 perform net.http_get('{never}');
                 rollback;
                 perform net._await_response(1);
                 perform net.http_get('{second}');
                 commit and chain;
             end $$"
        ))
        .unwrap();
    // On its own: in one with other statements there could be no commit.
    bench.client.batch_execute("call go()").unwrap();
    assert_eq!(bench.response(3).status_code, Some(200));
    assert_eq!(paths(&bench.receiver), ["/first", "/second"]);
}

#[test]
fn many_transactions_of_one_session_each_send() {
    let mut bench = Bench::new();
    for n in 1..=200 {
        let url = bench.receiver.url(&format!("/{n}"));
        ask(&mut bench.client, &format!("select net.http_get('{url}')"));
    }
    let answers = testkit::responses(&mut bench.client, 200);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(bench.receiver.count(), 200);
}

#[test]
fn sessions_at_once_each_send() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/x");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = bench.cluster.connect();
                for _ in 0..50 {
                    ask(&mut client, &format!("select net.http_get('{url}')"));
                }
            });
        }
    });
    let answers = testkit::responses(&mut bench.client, 400);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(bench.receiver.count(), 400);
}

/// The worker is woken when it can see what the transaction has made, and not a moment before.
#[test]
fn a_transaction_that_creates_the_extension_may_use_it() {
    let cluster = Cluster::builder().start();
    let (mut client, receiver) = (cluster.connect(), Receiver::start());
    for round in 1..=5 {
        let url = receiver.url(&format!("/round/{round}"));
        client.batch_execute(&format!("begin; create extension pg_net; select net.http_get('{url}'); commit")).unwrap();
        assert_eq!(testkit::response(&mut client, 1).status_code, Some(200), "round {round}");
        client.batch_execute("drop extension pg_net").unwrap();
    }
    assert_eq!(receiver.count(), 5);
}

/// Both take the queue and its sequence, and in the same order: none has to give way to the other as a deadlock.
#[test]
fn a_request_waits_for_a_truncation_and_goes_on() {
    let mut bench = Bench::new();
    let url = bench.receiver.url("/after");
    let mut session = bench.cluster.connect();
    let pid: i32 = value(&mut session, "select pg_backend_pid()");
    bench.client.batch_execute("begin; lock table net.http_request_queue in access exclusive mode").unwrap();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| ask(&mut session, &format!("select net.http_get('{url}')")));
        // The worker waits for it, too, and is not the one that this is about.
        wait_until("the request to wait for the lock", PATIENCE, || {
            let waits = "select exists (select from pg_locks where not granted and relation is not null and pid = ";
            value::<bool>(&mut bench.client, &format!("{waits} {pid})"))
        });
        bench.client.batch_execute("truncate net.http_request_queue restart identity; commit").unwrap();
        asking.join().expect("the request is made");
    });
    bench.received("/after");
}
