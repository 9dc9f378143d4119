//! A request is sent when its transaction commits, and never otherwise.

use testkit::{Call, Cluster, PATIENCE, Receiver, wait_until};

use crate::fixture::{Fixture, assert_works, value};

/// The paths that the receiver got, but for those of `assert_works`.
fn paths(receiver: &Receiver) -> Vec<String> {
    let requests = receiver.requests();
    requests.iter().map(|request| request.target.clone()).filter(|path| !path.starts_with("/works")).collect()
}

#[test]
fn nothing_is_sent_before_the_commit() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/late");
    let mut transaction = fixture.client.transaction().unwrap();
    let id = Call::get(&url).send(&mut transaction);
    // Another session's request gets through meanwhile: there was time.
    assert_works(&mut fixture.cluster.connect(), &fixture.receiver);
    assert_eq!(paths(&fixture.receiver), [""; 0]);
    transaction.commit().unwrap();
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert_eq!(paths(&fixture.receiver), ["/late"]);
}

/// Its ids are lower than those of the transaction that commits before it.
#[test]
fn a_transaction_that_began_earlier_and_commits_later_is_not_skipped() {
    let mut fixture = Fixture::new();
    let mut early = fixture.cluster.connect();
    let mut transaction = early.transaction().unwrap();
    let url = fixture.receiver.url("/early");
    let first = Call::get(&url).send(&mut transaction);
    for _ in 0..3 {
        fixture.assert_works();
    }
    transaction.commit().unwrap();
    assert_eq!(fixture.response(first).status_code, Some(200));
    assert_eq!(paths(&fixture.receiver), ["/early"]);
}

#[test]
fn a_rollback_sends_nothing() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/never");
    fixture
        .client
        .batch_execute(&format!(
            "begin; select net.http_get('{url}'), net.http_post('{url}'), net.http_delete('{url}'); rollback"
        ))
        .unwrap();
    fixture.assert_works();
    assert_eq!(paths(&fixture.receiver), [""; 0]);
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 1);
}

#[test]
fn a_rollback_to_a_savepoint_takes_back_what_came_after_it() {
    let mut fixture = Fixture::new();
    let (kept, dropped, last) =
        (fixture.receiver.url("/kept"), fixture.receiver.url("/dropped"), fixture.receiver.url("/last"));
    fixture
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
    assert_eq!(fixture.response(1).status_code, Some(200));
    assert_eq!(fixture.response(3).status_code, Some(200));
    fixture.assert_works();
    let mut sent = paths(&fixture.receiver);
    sent.sort_unstable();
    assert_eq!(sent, ["/kept", "/last"]);
}

#[test]
fn a_request_made_only_within_a_savepoint_is_sent() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/inner");
    fixture
        .client
        .batch_execute(&format!("begin; savepoint a; select net.http_get('{url}'); release a; commit"))
        .unwrap();
    assert_eq!(fixture.response(1).status_code, Some(200));
    fixture.received("/inner");
}

#[test]
fn an_exception_block_rolls_back_its_requests_alone() {
    let mut fixture = Fixture::new();
    let (kept, dropped) = (fixture.receiver.url("/kept"), fixture.receiver.url("/dropped"));
    fixture
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
    assert_eq!(fixture.response(1).status_code, Some(200));
    fixture.assert_works();
    assert_eq!(paths(&fixture.receiver), ["/kept"]);
}

#[test]
fn a_prepared_transaction_sends_when_another_session_commits_it() {
    let mut fixture = Fixture::with(Cluster::builder().conf("max_prepared_transactions", "5").start_ready());
    let (url, never) = (fixture.receiver.url("/prepared"), fixture.receiver.url("/never"));
    fixture.client.batch_execute(&format!("begin; select net.http_get('{url}'); prepare transaction 'a'")).unwrap();
    fixture.client.batch_execute(&format!("begin; select net.http_get('{never}'); prepare transaction 'b'")).unwrap();
    fixture.assert_works();
    assert_eq!(paths(&fixture.receiver), [""; 0]);
    let mut other = fixture.cluster.connect();
    other.batch_execute("commit prepared 'a'").unwrap();
    other.batch_execute("rollback prepared 'b'").unwrap();
    assert_eq!(fixture.response(1).status_code, Some(200));
    fixture.assert_works();
    assert_eq!(paths(&fixture.receiver), ["/prepared"]);
}

#[test]
fn a_procedure_that_commits_sends_as_it_goes() {
    let mut fixture = Fixture::new();
    let (first, second, never) =
        (fixture.receiver.url("/first"), fixture.receiver.url("/second"), fixture.receiver.url("/never"));
    fixture
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
    fixture.client.batch_execute("call go()").unwrap();
    assert_eq!(fixture.response(3).status_code, Some(200));
    assert_eq!(paths(&fixture.receiver), ["/first", "/second"]);
}

#[test]
fn many_transactions_of_one_session_each_send() {
    let mut fixture = Fixture::new();
    for n in 1..=200 {
        let url = fixture.receiver.url(&format!("/{n}"));
        fixture.send(Call::get(&url));
    }
    let answers = testkit::responses(&mut fixture.client, 200);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.receiver.count(), 200);
}

#[test]
fn sessions_at_once_each_send() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let mut client = fixture.cluster.connect();
                for _ in 0..50 {
                    Call::get(&url).send(&mut client);
                }
            });
        }
    });
    let answers = testkit::responses(&mut fixture.client, 400);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.receiver.count(), 400);
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
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/after");
    let mut session = fixture.cluster.connect();
    let pid: i32 = value(&mut session, "select pg_backend_pid()");
    fixture.client.batch_execute("begin; lock table net.http_request_queue in access exclusive mode").unwrap();
    std::thread::scope(|scope| {
        let asking = scope.spawn(|| Call::get(&url).send(&mut session));
        // The worker waits for it, too, and is not the one that this is about.
        wait_until("the request to wait for the lock", PATIENCE, || {
            let waits = "select exists (select from pg_locks where not granted and relation is not null and pid = ";
            value::<bool>(&mut fixture.client, &format!("{waits} {pid})"))
        });
        fixture.client.batch_execute("truncate net.http_request_queue restart identity; commit").unwrap();
        asking.join().expect("the request is made");
    });
    fixture.received("/after");
}
