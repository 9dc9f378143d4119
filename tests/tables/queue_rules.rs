//! A call stores its request without the executor where that comes to the same. Whatever the owner has added to the queue
//! applies to it as to a row that is inserted.

use std::thread;

use postgres::Transaction;
use testkit::{PATIENCE, wait_until};

use crate::fixture::{Fixture, error_of, value};

const URL: &str = "http://127.0.0.1:9/hook";
const QUEUE: &str = "alter table net.http_request_queue";

/// A request of each kind: with the usual terms, and with terms of its own.
const CALLS: [&str; 2] = [
    "select net.http_get('http://127.0.0.1:9/hook')",
    "select net.http_request('GET', 'http://127.0.0.1:9/hook', max_attempts := 2)",
];

/// What the queue holds, but for what is another for each row.
fn rows(transaction: &mut Transaction) -> Vec<String> {
    let select = "select (to_jsonb(q) - 'id' - 'row_key' - 'due')::text || (due is not null)
                    from net.http_request_queue q order by row_key";
    transaction.query(select, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// Alters the queue, runs something, and undoes both. Before, the session has called, and knows the queue as it was.
fn with_altered<R>(fixture: &mut Fixture, alter: &str, run: impl FnOnce(&mut Transaction) -> R) -> R {
    let mut transaction = fixture.client.transaction().unwrap();
    for call in CALLS {
        transaction.batch_execute(call).unwrap();
    }
    transaction.batch_execute("delete from net.http_request_queue").unwrap();
    transaction.batch_execute(alter).unwrap_or_else(|error| panic!("{alter}: {error:?}"));
    let result = run(&mut transaction);
    transaction.rollback().unwrap();
    result
}

/// The two ways into the queue must not differ in what they make of a request.
#[test]
fn a_call_leaves_the_row_that_an_insert_leaves() {
    let mut fixture = Fixture::new();
    let insert = format!(
        "insert into net.http_request_queue (method, url, headers, timeout_milliseconds) values ('GET', '{URL}', '{{}}', 2000)"
    );
    for alter in [
        "select 1",
        &format!("{QUEUE} alter max_attempts set default 3"),
        &format!("{QUEUE} alter max_attempts set default 1 + 2"),
        &format!("{QUEUE} alter max_attempts set default length(current_user)"),
        &format!("{QUEUE} alter attempts set default -1"),
        &format!("{QUEUE} alter delivery set default 'at_most_once'"),
        &format!("{QUEUE} alter due set default now()"),
        &format!("{QUEUE} alter idempotency_key set default 'mine'"),
        &format!("{QUEUE} alter made_in set default 7"),
        &format!("{QUEUE} alter made_in set default pg_backend_pid()"),
        &format!("{QUEUE} alter made_in drop not null, alter made_in drop default"),
        &format!("{QUEUE} add column note text"),
        &format!("{QUEUE} add column note text default 'a note'"),
        &format!("{QUEUE} add column twice bigint generated always as (timeout_milliseconds * 2) stored"),
        &format!("{QUEUE} drop column idempotency_key"),
        &format!("{QUEUE} disable trigger assign_row_key"),
        "drop trigger assign_row_key on net.http_request_queue",
    ] {
        with_altered(&mut fixture, alter, |transaction| {
            transaction.batch_execute(&insert).unwrap_or_else(|error| panic!("{alter}: {error:?}"));
            transaction.batch_execute(CALLS[0]).unwrap_or_else(|error| panic!("{alter}: {error:?}"));
            let rows = rows(transaction);
            assert_eq!(rows.len(), 2, "{alter}");
            assert_eq!(rows[0], rows[1], "{alter}");
        });
    }
}

#[test]
fn arguments_of_a_call_override_column_defaults() {
    let mut fixture = Fixture::new();
    let alter = format!("{QUEUE} alter max_attempts set default 3, alter idempotency_key set default 'mine'");
    let rows = with_altered(&mut fixture, &alter, |transaction| {
        transaction.batch_execute(CALLS[1]).unwrap();
        transaction
            .query_one("select max_attempts, idempotency_key from net.http_request_queue", &[])
            .map(|row| (row.get::<_, i32>(0), row.get::<_, Option<String>>(1)))
            .unwrap()
    });
    assert_eq!(rows, (2, None));
}

#[test]
fn constraints_on_the_queue_refuse_calls() {
    let mut fixture = Fixture::new();
    for call in CALLS {
        for (alter, code, message) in [
            (format!("{QUEUE} add constraint mine check (url not like '%hook')"), "23514", "check constraint \"mine\""),
            (format!("{QUEUE} alter body set not null"), "23502", "null value in column \"body\""),
            (format!("{QUEUE} add column note text not null"), "23502", "null value in column \"note\""),
            (format!("{QUEUE} alter made_in drop default"), "23502", "null value in column \"made_in\""),
            (
                "create unique index mine on net.http_request_queue ((1));
                 select net.http_get('http://127.0.0.1:9/first')"
                    .into(),
                "23505",
                "unique constraint \"mine\"",
            ),
            (
                format!("{QUEUE} add constraint mine exclude (url with =); {}", CALLS[0]),
                "23P01",
                "exclusion constraint \"mine\"",
            ),
            (
                "create function refuse() returns trigger language plpgsql as $$begin raise 'not mine'; end$$;
                 create trigger mine before insert on net.http_request_queue for each row execute function refuse()"
                    .into(),
                "P0001",
                "not mine",
            ),
        ] {
            let (found, said) = with_altered(&mut fixture, &alter, |transaction| error_of(transaction, call));
            assert!(found == code && said.contains(message), "{alter}: {found} {said}");
        }
    }
    // And none of it stays behind.
    fixture.assert_works();
}

#[test]
fn a_deferred_constraint_is_checked_at_the_end() {
    let mut fixture = Fixture::new();
    let alter = format!("{QUEUE} add constraint mine unique (url) deferrable initially deferred");
    with_altered(&mut fixture, &alter, |transaction| {
        transaction.batch_execute(&format!("{}; {}", CALLS[0], CALLS[0])).unwrap();
        assert_eq!(error_of(transaction, "set constraints all immediate").0, "23505");
    });
}

#[test]
fn triggers_on_the_queue_fire_for_calls() {
    let mut fixture = Fixture::new();
    let log = "create table public.log (url text);
         create function write_log() returns trigger language plpgsql as
         $$begin insert into public.log values (new.url); return new; end$$;";
    for each in [
        "create trigger mine after insert on net.http_request_queue for each row execute function write_log()",
        "create trigger mine before insert on net.http_request_queue for each row execute function write_log()",
        "create rule mine as on insert to net.http_request_queue do also insert into public.log values (new.url)",
    ] {
        with_altered(&mut fixture, &format!("{log} {each}"), |transaction| {
            for call in CALLS {
                transaction.batch_execute(call).unwrap_or_else(|error| panic!("{each}: {error:?}"));
            }
            let logged: i64 = value(transaction, &format!("select count(*) from public.log where url = '{URL}'"));
            assert_eq!(logged, 2, "{each}");
        });
    }
}

/// The key of the call's row counts for that row alone.
#[test]
fn a_copy_of_the_row_of_a_call_has_a_key_of_its_own() {
    let mut fixture = Fixture::new();
    for call in CALLS {
        with_altered(&mut fixture, "select 1", |transaction| {
            transaction.batch_execute(call).unwrap();
            transaction
                .batch_execute("insert into net.http_request_queue select * from net.http_request_queue")
                .unwrap();
            let keys: i64 = value(transaction, "select count(distinct row_key) from net.http_request_queue");
            assert_eq!(keys, 2, "{call}");
        });
    }
}

/// A value that stands in another table, out of line, is taken into the queue whole.
#[test]
fn large_values_from_a_table_are_stored_whole() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/large");
    fixture
        .client
        .batch_execute(&format!(
            "create table public.source (headers jsonb, body jsonb);
             alter table public.source alter headers set storage external, alter body set storage external;
             insert into public.source select jsonb_build_object('X-Large', repeat('h', 6000)),
                                              jsonb_build_object('large', repeat('b', 300000));
             select net.http_post('{url}', body := body, headers := headers) from public.source;
             drop table public.source"
        ))
        .unwrap();
    let request = fixture.received("/large");
    assert_eq!(request.header("x-large").map(str::len), Some(6000));
    assert_eq!(request.body.len(), r#"{"large": ""}"#.len() + 300_000);
}

#[test]
fn a_queue_that_is_gone_is_said_to_be_missing() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute(CALLS[0]).unwrap();
    fixture.client.batch_execute(&format!("{QUEUE} rename to other")).unwrap();
    let (code, message) = error_of(&mut fixture.client, CALLS[0]);
    assert_eq!((code.as_str(), message.as_str()), ("42P01", "pg_net's queue is missing from this database"));
    fixture.client.batch_execute("alter table net.other rename to http_request_queue").unwrap();
    fixture.assert_works();
}

/// The call has found the queue, and waits for the lock that it is dropped under.
#[test]
fn a_call_that_waits_while_the_queue_is_dropped_is_told_so() {
    let mut fixture = Fixture::new();
    for call in CALLS {
        let mut caller = fixture.cluster.connect();
        caller.batch_execute(call).unwrap();
        let pid: i32 = value(&mut caller, "select pg_backend_pid()");
        fixture.client.batch_execute("begin; drop extension pg_net").unwrap();
        let refused = thread::spawn(move || error_of(&mut caller, call));
        let waits =
            format!("select wait_event_type is not distinct from 'Lock' from pg_stat_activity where pid = {pid}");
        // The session's own transaction would see the same for all of it.
        let mut other = fixture.cluster.connect();
        wait_until("the call to wait", PATIENCE, || value::<bool>(&mut other, &waits));
        fixture.client.batch_execute("commit").unwrap();
        let (code, message) = refused.join().unwrap();
        assert_eq!((code.as_str(), message.as_str()), ("42P01", "pg_net's queue is missing from this database"));
        fixture.client.batch_execute("create extension pg_net").unwrap();
        fixture.assert_works();
    }
}
