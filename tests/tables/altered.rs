//! The owner of the extension may do anything to its tables. What then does not work waits until it does again; the worker
//! stays up throughout.

use std::time::Duration;

use testkit::{Call, PATIENCE, Receiver, responses, wait_until, wait_until_at_rest};

use crate::fixture::{Fixture, value};

const QUEUE: &str = "alter table net.http_request_queue";
const RESPONSES: &str = "alter table net._http_response";

/// A server, and its worker as it was before the tables were altered.
struct Altered {
    fixture: Fixture,
    worker: i32,
}

impl Altered {
    fn new() -> Self {
        let mut fixture = Fixture::new();
        fixture.assert_works();
        let worker = fixture.cluster.worker_pid(&mut fixture.client);
        Self { fixture, worker }
    }

    #[track_caller]
    fn run(&mut self, sql: &str) {
        self.fixture.client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    fn waiting(&mut self) -> i64 {
        value(&mut self.fixture.client, "select count(*) from net.http_request_queue")
    }

    /// Runs SQL that leaves requests, and waits until they are done or the log says what is wrong.
    #[track_caller]
    fn ask(&mut self, sql: &str) {
        let before = self.fixture.cluster.log().len();
        self.run(&format!("{sql}; select net.wake()"));
        wait_until(&format!("something to come of {sql}"), PATIENCE, || {
            self.fixture.cluster.log()[before..].contains("and will try again") || self.waiting() == 0
        });
    }

    /// Fails the test unless all that waits is done with, and more is, by the worker that there was.
    #[track_caller]
    fn assert_recovered(&mut self, from: &str) {
        self.run("select net.wake()");
        wait_until(&format!("an empty queue after {from}"), PATIENCE, || self.waiting() == 0);
        self.fixture.assert_works();
        assert_eq!(self.fixture.cluster.worker_pid(&mut self.fixture.client), self.worker, "{from}");
    }
}

/// The bytes of a value of another type must not be taken for what they are not.
#[test]
fn queue_columns_of_other_types_stop_no_worker() {
    let mut altered = Altered::new();
    let url = altered.fixture.receiver.url("/typed");
    for (column, other, own) in [
        ("id", "numeric", "bigint"),
        ("id", "text", "bigint"),
        ("url", "bytea", "text"),
        ("url", "varchar(100)", "text"),
        ("headers", "text", "jsonb"),
        ("headers", "json", "jsonb"),
        ("headers", "bytea", "jsonb"),
        ("headers", "text[]", "jsonb"),
        ("body", "text", "bytea"),
        ("body", "int", "bytea"),
        ("timeout_milliseconds", "text", "int"),
        ("timeout_milliseconds", "bigint", "int"),
        ("timeout_milliseconds", "interval", "int"),
        ("row_key", "numeric", "bigint"),
        ("row_key", "int", "bigint"),
        ("requested_by", "text", "oid"),
        ("requested_by", "bigint", "oid"),
    ] {
        altered.run(&format!(
            "begin;
             drop trigger assign_row_key on net.http_request_queue;
             {QUEUE} alter id drop default, alter row_key drop default, alter requested_by drop default;
             {QUEUE} alter {column} type {other} using null;
             commit"
        ));
        let headers = if other == "text[]" { "{a}" } else { r#"{"A": "b"}"# };
        altered.ask(&format!(
            "insert into net.http_request_queue (id, method, url, headers, body, timeout_milliseconds, row_key, requested_by)
             values ('77', 'GET', '{url}', '{headers}', '8', '9000', '2000000000', '10')"
        ));
        altered.run(&format!(
            "begin;
             delete from net.http_request_queue;
             {QUEUE} alter {column} type {own} using null;
             {QUEUE} alter id set default nextval('net.http_request_queue_id_seq'),
                     alter row_key set default net._note_row_key(nextval('net.http_request_queue_row_key_seq')),
                     alter requested_by set default 10;
             create trigger assign_row_key before insert on net.http_request_queue
                 for each row when (new.row_key is distinct from net._take_noted_row_key())
                 execute function net._assign_row_key();
             {QUEUE} enable always trigger assign_row_key;
             commit"
        ));
        altered.assert_recovered(&format!("{column} as {other}"));
    }
}

#[test]
fn requests_wait_while_queue_columns_are_missing() {
    let mut altered = Altered::new();
    let url = altered.fixture.receiver.url("/x");
    let columns = "select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ',') from pg_attribute
                    where attrelid = 'net.http_request_queue'::regclass and attnum > 0 and not attisdropped
                      and attname not in ('id', 'method', 'url', 'row_key', 'requested_by')";
    let columns: String = altered.fixture.value(columns);
    for column in columns.split(',') {
        let name = column.split(' ').next().unwrap();
        altered.run(&format!("{QUEUE} rename {name} to renamed"));
        let timeout = if name == "timeout_milliseconds" { "renamed" } else { "timeout_milliseconds" };
        altered
            .ask(&format!("insert into net.http_request_queue (method, url, {timeout}) values ('GET', '{url}', 2000)"));
        altered.run(&format!("{QUEUE} rename renamed to {name}"));
        altered.assert_recovered(&format!("{name} gone"));
    }
    let sent = altered.fixture.receiver.requests();
    assert_eq!(sent.iter().filter(|request| request.path() == "/x").count(), columns.split(',').count());
}

#[test]
fn requests_wait_while_a_table_has_another_name() {
    let mut altered = Altered::new();
    let url = altered.fixture.receiver.url("/x");
    for table in ["http_request_queue", "_http_response"] {
        altered.run(&format!("begin; select net.http_get('{url}'); alter table net.{table} rename to other; commit"));
        altered.run("select net.wake()");
        wait_until("the worker to take note", PATIENCE, || {
            table == "http_request_queue"
                || altered.fixture.cluster.log().contains("\"net._http_response\" does not exist")
        });
        altered.run(&format!("create view net.{table} as select 1 as row_key"));
        altered.run("select net.wake()");
        altered.run(&format!("drop view net.{table}; alter table net.other rename to {table}"));
        altered.assert_recovered(table);
    }
}

#[test]
fn requests_wait_while_the_schema_has_another_name() {
    let mut altered = Altered::new();
    let url = altered.fixture.receiver.url("/x");
    altered.run(&format!(
        "begin; select net.http_get('{url}'); alter schema net rename to other; commit; select other.wake()"
    ));
    altered.run("create schema net; create table net.http_request_queue (row_key bigint); select other.wake()");
    altered.run("drop schema net cascade; alter schema other rename to net");
    altered.assert_recovered("another schema");
    altered.fixture.received("/x");
}

#[test]
fn responses_that_cannot_be_stored_hold_up_no_others_and_are_not_lost() {
    let mut altered = Altered::new();
    for (alter, undo) in [
        ("add column mine int not null", "drop column mine"),
        ("add constraint mine check (content <> 'status 418')", "drop constraint mine"),
        ("alter content type varchar(6)", "alter content type text"),
        ("alter status_code type text", "alter status_code type int using status_code::int"),
        ("alter headers type text", "alter headers type jsonb using headers::jsonb"),
        ("drop column content_bytes", "add column content_bytes bytea"),
        ("force row level security", "no force row level security"),
        ("rename error_msg to mine", "rename mine to error_msg"),
    ] {
        altered.run("truncate net._http_response");
        altered.run(&format!("{RESPONSES} {alter}"));
        let (good, bad) = (altered.fixture.receiver.url("/x"), altered.fixture.receiver.url("/status/418"));
        altered.ask(&format!("select net.http_get('{good}'), net.http_get('{bad}'), net.http_get('{good}')"));
        altered.run(&format!("{RESPONSES} {undo}"));
        altered.assert_recovered(alter);
        let stored = responses(&mut altered.fixture.client, 4);
        let mut statuses: Vec<_> = stored.iter().map(|answer| answer.status_code.unwrap()).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 418], "{alter}");
    }
    // Each was sent once, however often storing its outcome failed.
    let sent = altered.fixture.receiver.requests();
    assert_eq!(sent.iter().filter(|request| request.path() == "/status/418").count(), 8);
}

#[test]
fn a_response_that_a_trigger_refuses_holds_up_no_others() {
    let mut altered = Altered::new();
    altered.run(
        "create function refuse() returns trigger language plpgsql as $$
         begin
             if new.status_code = 418 then
                 raise 'no teapots';
             end if;
             return new;
         end
         $$;
         create trigger refuse before insert on net._http_response for each row execute function refuse()",
    );
    let (good, bad) = (altered.fixture.receiver.url("/x"), altered.fixture.receiver.url("/status/418"));
    altered.run(&format!(
        "begin;
         select net.http_get('{good}') from generate_series(1, 50);
         select net.http_get('{bad}') from generate_series(1, 3);
         select net.http_get('{good}') from generate_series(1, 50);
         commit"
    ));
    assert_eq!(responses(&mut altered.fixture.client, 101).len(), 101);
    wait_until("an empty queue", PATIENCE, || altered.waiting() == 0);
    assert_eq!(value::<i64>(&mut altered.fixture.client, "select count(*) from net._held_response"), 3);
    altered.run("drop trigger refuse on net._http_response");
    altered.assert_recovered("a trigger that refuses");
    let stored = responses(&mut altered.fixture.client, 105);
    assert_eq!(stored.iter().filter(|response| response.status_code == Some(418)).count(), 3);
}

#[test]
fn queue_rows_that_cannot_be_deleted_stop_no_worker() {
    let mut altered = Altered::new();
    let url = altered.fixture.receiver.url("/x");
    for (alter, undo) in [
        (
            "create trigger keep before delete on net.http_request_queue for each row execute function keep()",
            "drop trigger keep on net.http_request_queue",
        ),
        (
            "create rule keep as on delete to net.http_request_queue do instead nothing",
            "drop rule keep on net.http_request_queue",
        ),
        (
            "create rule keep as on insert to net._http_response do instead nothing",
            "drop rule keep on net._http_response",
        ),
        (
            "create trigger keep before delete on net.http_request_queue for each row execute function fail()",
            "drop trigger keep on net.http_request_queue",
        ),
    ] {
        altered.run(
            "create or replace function keep() returns trigger language plpgsql as 'begin return null; end';
             create or replace function fail() returns trigger language plpgsql as $$begin raise 'kept'; end$$",
        );
        altered.run(alter);
        let arrived = altered.fixture.receiver.count();
        altered.run(&Call::get(&url).select());
        altered.fixture.receiver.wait_for(arrived + 1);
        // That its outcome was dealt with has no other sign, as it leaves nothing.
        let worker = altered.worker;
        wait_until_at_rest("a worker at rest", &[worker], Duration::from_millis(200));
        altered.run(undo);
        altered.assert_recovered(alter);
    }
}

/// Keys belong to the extension; an owner who changes them gets what little sense there is in it.
#[test]
fn tampered_row_keys_stop_no_worker() {
    let mut altered = Altered::new();
    let away = Receiver::refused_port();
    for keys in ["-5", "0", "9223372036854775807", "-9223372036854775808", "id % 2", "-id"] {
        let url = away.url("/x");
        altered.run(&format!(
            "begin;
             select net.http_get('{url}') from generate_series(1, 10);
             update net.http_request_queue set row_key = {keys};
             commit;
             select net._note_row_key({})",
            keys.replace("id", "1")
        ));
        altered.run("select net.wake()");
        altered.fixture.assert_works();
        altered.run("delete from net.http_request_queue");
        altered.assert_recovered(keys);
    }
}

#[test]
fn rows_in_a_child_table_of_the_queue_stop_no_worker() {
    let mut altered = Altered::new();
    let url = altered.fixture.receiver.url("/child");
    altered.run(&format!(
        "create table child () inherits (net.http_request_queue);
         insert into child (id, method, url, timeout_milliseconds) values (99, 'GET', '{url}', 2000);
         select net.wake()"
    ));
    assert_eq!(altered.fixture.response(99).status_code, Some(200));
    altered.run("drop table child");
    altered.assert_recovered("a child");
    altered.fixture.received("/child");
}

#[test]
fn tables_of_another_owner_stop_no_worker() {
    let mut altered = Altered::new();
    let url = altered.fixture.receiver.url("/x");
    altered.run("create role alice; create role bob");
    for (queue, responses) in [("alice", "alice"), ("alice", "bob"), ("bob", "postgres")] {
        let keys = "alter sequence net.http_request_queue_row_key_seq owner to";
        altered.run(&format!("{QUEUE} owner to {queue}; {RESPONSES} owner to {responses}; {keys} {queue}"));
        altered.ask(&Call::get(&url).select());
        altered.run(&format!("{QUEUE} owner to postgres; {RESPONSES} owner to postgres"));
        altered.assert_recovered(&format!("{queue} and {responses} as owners"));
    }
}
