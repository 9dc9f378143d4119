//! Whatever form the statement has that takes rows out of the queue.

use super::{ON_THE_WIRE, Stalled};

/// Runs statements, each by itself.
fn run(stalled: &mut Stalled, statements: &str) {
    for statement in statements.split(" / ") {
        stalled.fixture.client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

/// Runs a statement while ten are claimed and ten wait; what was not on the wire must not arrive.
fn assert_stops(stalled: &mut Stalled, number: usize, statement: &str) {
    let path = format!("/slow/{number}");
    let gate = stalled.ask_for(&path, 20);
    run(stalled, statement);
    gate.release();
    stalled.assert_nothing_is_left();
    assert_eq!(stalled.arrivals(&path).0, ON_THE_WIRE, "{statement}");
}

#[test]
fn every_form_of_a_delete_is_noticed() {
    let mut stalled = Stalled::new();
    stalled
        .fixture
        .client
        .batch_execute(
            "create view waiting as select * from net.http_request_queue;
             create table triggers (n int);
             create function empty() returns trigger language plpgsql
                 as 'begin delete from net.http_request_queue; return null; end';
             create trigger empty after insert on triggers for each statement execute function empty();
             create table rules (n int);
             create rule empty as on insert to rules do also delete from net.http_request_queue;
             create procedure parts() language plpgsql as $$
             begin
                 delete from net.http_request_queue where id % 2 = 0; commit;
                 delete from net.http_request_queue; commit;
             end $$;
             prepare emptying as delete from net.http_request_queue",
        )
        .unwrap();
    let statements = [
        "delete from waiting",
        "delete from net.http_request_queue q using net.http_request_queue p where p.row_key = q.row_key",
        "with gone as (delete from net.http_request_queue returning 1) select count(*) from gone",
        "insert into triggers values (1)",
        "insert into rules values (1)",
        "call parts()",
        "execute emptying",
        "do $$ begin begin delete from net.http_request_queue; exception when others then null; end; end $$",
        "begin; savepoint a; delete from net.http_request_queue; release a; commit",
        "begin; truncate net.http_request_queue; savepoint a; truncate net.http_request_queue; rollback to a; commit",
        "begin; delete from net.http_request_queue; prepare transaction 'a' / commit prepared 'a'",
        "begin; truncate net.http_request_queue; prepare transaction 'a' / commit prepared 'a'",
        "set session_replication_role = replica; delete from net.http_request_queue; reset session_replication_role",
    ];
    for (number, statement) in statements.into_iter().enumerate() {
        assert_stops(&mut stalled, number, statement);
    }
    if stalled.fixture.value::<i32>("select current_setting('server_version_num')::int") >= 150000 {
        let merge = "merge into net.http_request_queue q using (values (1)) v on true when matched then delete";
        assert_stops(&mut stalled, statements.len(), merge);
    }
    // Where the queue has a parent, a delete from that is one from the queue.
    stalled
        .fixture
        .client
        .batch_execute(
            "create table parent (like net.http_request_queue including defaults);
             alter table net.http_request_queue inherit parent",
        )
        .unwrap();
    assert_stops(&mut stalled, statements.len() + 1, "delete from parent");
}

/// Nothing is stopped by what removes nothing, and nothing is sent twice.
#[test]
fn a_delete_that_removes_no_row_stops_no_request() {
    let mut stalled = Stalled::new();
    let gate = stalled.ask_for("/slow", 100);
    run(
        &mut stalled,
        "delete from net.http_request_queue where false / \
         begin; delete from net.http_request_queue; rollback / \
         begin; savepoint a; truncate net.http_request_queue; rollback to a; commit / \
         begin; delete from net.http_request_queue; prepare transaction 'a' / rollback prepared 'a' / \
         vacuum full net.http_request_queue / \
         explain delete from net.http_request_queue / \
         create temp table other as select 1; truncate other; drop table other",
    );
    gate.release();
    stalled.fixture.receiver.wait_for(100);
    stalled.assert_nothing_is_left();
    stalled.assert_arrived_once_each("/slow", 100);
}

/// A waiting session hears of it at once, though the worker has nothing to do with it.
#[test]
fn waiting_for_a_deleted_request_ends_with_an_error() {
    let mut stalled = Stalled::new();
    let gate = stalled.ask_for("/slow", 20);
    let mut waiter = stalled.fixture.cluster.connect();
    std::thread::scope(|scope| {
        let waits = scope.spawn(|| {
            let error = waiter.batch_execute("select net.await_response(20, '1 minute')").unwrap_err();
            error.as_db_error().expect("an error of the server's").code().code().to_owned()
        });
        testkit::wait_until("the session to wait", testkit::PATIENCE, || {
            stalled.fixture.value::<bool>(
                "select exists (select from pg_stat_activity where wait_event_type = 'Extension' and query like '%1 minute%'
                                 and pid <> pg_backend_pid())",
            )
        });
        stalled.fixture.client.batch_execute("delete from net.http_request_queue").unwrap();
        assert_eq!(waits.join().unwrap(), "P0002");
    });
    gate.release();
    stalled.assert_nothing_is_left();
}
