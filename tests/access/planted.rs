//! Code that a role without rights plants runs with that role's rights alone: neither with the worker's nor with the owner's.

use postgres::Client;
use testkit::{Call, Cluster};

use crate::fixture::{Fixture, error_of, value};

/// A role that may log in, and create what it likes in a schema of its own and in `public`.
const MALLORY: &str = "
    create role mallory login;
    create role alice login;
    grant create on schema public to mallory;
    create schema evil authorization mallory;
    create role signaller login;
    grant pg_signal_backend to signaller;";

/// Says in the log who runs it.
const NOTE: &str = "
    create function evil.note() returns void language plpgsql as $$
    begin
        raise log 'planted: runs as %', current_user;
    end $$;
    grant usage on schema evil to public;";

/// An operator and a function in the place of each of Postgres' own that takes one or two plain values.
const OVERLOADS: &str = "
    do $$
    declare
        taken record;
        plain regtype[] := '{int2, int4, int8, text, name, bool, oid, bytea, jsonb, timestamptz, interval, float8, \"char\"}';
    begin
        for taken in
            select oprname, oprleft::regtype as l, oprright::regtype as r, oprresult::regtype as result
              from pg_operator where oprnamespace = 'pg_catalog'::regnamespace and oprkind = 'b'
               and oprleft = any (plain) and oprright = any (plain)
        loop
            execute format('create or replace function evil.operator_%s_%s(%s, %s) returns %s language plpgsql as
                            ''begin perform evil.note(); return null; end''',
                           taken.l::oid, taken.r::oid || '_' || taken.result::oid, taken.l, taken.r, taken.result);
            execute format('create operator evil.%s (leftarg = %s, rightarg = %s, function = evil.operator_%s_%s)',
                           taken.oprname, taken.l, taken.r, taken.l::oid, taken.r::oid || '_' || taken.result::oid);
        end loop;
        for taken in
            select proname, oidvectortypes(proargtypes) as arguments, prorettype::regtype as result
              from pg_proc where pronamespace = 'pg_catalog'::regnamespace and prokind = 'f' and not proretset and pronargs <= 2
               and (prorettype = any (plain) or prorettype in ('regclass'::regtype, 'regrole'::regtype))
               and proargtypes::oid[] <@ (plain || '{regclass, regrole}'::regtype[])::oid[]
               and proname not in ('format', 'pg_notify')
        loop
            execute format('create or replace function evil.%I(%s) returns %s language plpgsql as
                            ''begin perform evil.note(); return null; end''',
                           taken.proname, taken.arguments, taken.result);
        end loop;
    end $$;
    create function evil.unnest(anyarray) returns setof anyelement language plpgsql as
        'begin perform evil.note(); return; end';
    create type evil.anything as (a int);
    create function evil.cast_to(text) returns evil.anything language plpgsql as
        'begin perform evil.note(); return null; end';
    create cast (text as evil.anything) with function evil.cast_to(text) as implicit;
    create cast (jsonb as evil.anything) with inout as implicit;
    create table evil.http_request_queue (id bigint);
    create table evil._http_response (id bigint);";

/// Who ran what was planted, by the log.
fn runners(cluster: &Cluster) -> Vec<String> {
    let log = cluster.log();
    let mut runners: Vec<_> =
        log.lines().filter_map(|line| line.split_once("planted: runs as ")).map(|(_, who)| who.to_owned()).collect();
    runners.sort_unstable();
    runners.dedup();
    runners
}

#[test]
fn planting_code_on_the_tables_is_refused() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute(MALLORY).unwrap();
    let mut mallory = fixture.cluster.connect_as("mallory", "postgres");
    mallory
        .batch_execute(
            "create function evil.fire() returns trigger language plpgsql as 'begin return new; end';
             create function evil.f(bigint) returns bigint language sql as 'select $1';
             create table evil.rows (id bigint)",
        )
        .unwrap();
    for table in ["net.http_request_queue", "net._http_response", "net.dead_letter"] {
        for planted in [
            "create trigger t before insert on {} for each row execute function evil.fire()",
            "create constraint trigger t after delete on {} for each row execute function evil.fire()",
            "create rule r as on insert to {} do also notify planted",
            "create rule r as on delete to {} do instead nothing",
            "create policy p on {} using (true)",
            "alter policy own_requests on {} using (true)",
            "alter table {} disable row level security",
            "alter table {} alter column id set default evil.f(1)",
            "alter table {} add column planted bigint default evil.f(1)",
            "alter table {} add check (evil.f(id) > 0)",
            "alter table {} owner to mallory",
            "alter table {} inherit evil.rows",
            "alter table evil.rows inherit {}",
            "create table evil.child () inherits ({})",
            "create index on {} (evil.f(id))",
            "create statistics evil.s on id, (id + 1) from {}",
            "create table evil.refers (id bigint references {} (id))",
            "comment on table {} is 'planted'",
            "create publication p for table {}",
            "truncate {}",
            "do $$ begin lock table {} in share update exclusive mode; end $$",
            "do $$ begin lock table {} in access exclusive mode; end $$",
            "insert into {} (id) values (1)",
            "update {} set id = 1",
            "update {} set requested_by = 1",
            "copy {} from '/dev/null'",
            "grant select on {} to mallory",
            "vacuum full {}",
            "cluster {}",
            "drop table {}",
        ] {
            let statement = planted.replace("{}", table);
            match mallory.batch_execute(&statement) {
                // A warning is all that Postgres gives for these two.
                Ok(()) => assert!(planted.starts_with("vacuum") || planted.starts_with("grant"), "{statement}"),
                Err(error) => {
                    let code = error.code().unwrap_or_else(|| panic!("{statement}: {error:?}")).code().to_owned();
                    assert!(["42501", "42704", "42830", "42P16"].contains(&code.as_str()), "{statement}: {error:?}");
                }
            }
        }
    }
    fixture.assert_works();
}

#[test]
fn planting_code_in_the_schema_is_refused() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute(MALLORY).unwrap();
    let mut mallory = fixture.cluster.connect_as("mallory", "postgres");
    for planted in [
        "create function net.http_get(url varchar) returns bigint language sql as 'select 1::bigint'",
        "create or replace function net.http_get(url text, params jsonb default '{}', headers jsonb default '{}',
             timeout_milliseconds int default 2000) returns bigint language sql as 'select 1::bigint'",
        "create function net._wait_for_records(seen int) returns bigint language sql as 'select 1::bigint'",
        "create operator net.= (leftarg = bigint, rightarg = bigint, function = int8eq)",
        "create table net.planted (id bigint)",
        "create view net.planted as select 1",
        "create type net.planted as enum ('a')",
        "create domain net.planted as text",
        "create cast (net.http_method as bytea) without function",
        "alter domain net.http_method add check (value <> '')",
        "alter type net.request_status add value 'PLANTED'",
        "alter function net.http_get(text, jsonb, jsonb, integer) security definer",
        "alter function net.http_get(text, jsonb, jsonb, integer) owner to mallory",
        "alter function net.http_get(text, jsonb, jsonb, integer) support net._keep_caller",
        "create function evil.mine(text) returns bigint language c as '$libdir/pg_net', 'http_get'",
        "create function evil.mine(text) returns text language sql support net._keep_caller as 'select $1'",
        "drop extension pg_net",
        "alter extension pg_net update",
        "alter extension pg_net drop table net._http_response",
        "set pg_net.ttl = '1 second'",
        "set pg_net.batch_size = 1",
        "set pg_net.max_request_bytes = 1",
        "set pg_net.caller = 'postgres'",
        "alter role mallory set pg_net.ttl = '1 second'",
    ] {
        let (state, message) = error_of(&mut mallory, planted);
        assert!(["42501", "55P02", "0A000"].contains(&state.as_str()), "{planted}: {state} {message}");
    }
    fixture.assert_works();
}

/// Calls what a role may call, with the planted code in its search path.
fn call_everything(admin: &mut Client, caller: &mut Client, user: &str, url: &str) {
    caller.batch_execute("set search_path = evil, pg_catalog, public").unwrap();
    let get = caller.prepare("select net.http_get($1, $2, $3, 2000)").unwrap();
    let none = serde_json::json!({"a": "b"});
    let id: i64 = caller.query_one(&get, &[&url, &none, &none]).unwrap().get(0);
    caller.batch_execute("select net.wake(), net.check_worker_is_up(), net.wait_until_running()").unwrap();
    caller.batch_execute(&format!("select net._await_response({id})")).unwrap();
    caller.batch_execute(&format!("select net._http_collect_response({id}, false)")).unwrap();
    caller.batch_execute(&format!("select net.http_collect_response({id})")).unwrap();
    caller.batch_execute(&format!("select net.await_response({id}), net.await_responses(array[{id}])")).unwrap();
    admin
        .batch_execute(&format!(
            "set search_path = pg_catalog;
             insert into net.dead_letter (id, method, url, timeout_milliseconds, requested_by, max_attempts, attempts)
             values (-{id}, 'GET', '{url}', 2000, '{user}'::regrole, 1, 1)"
        ))
        .unwrap();
    assert!(value::<bool>(caller, &format!("select net.retry(-{id})")));
    caller.batch_execute("set search_path = pg_catalog").unwrap();
    let waiting = Call::request("GET", url).not_before("pg_catalog.clock_timestamp() + '1h'").send(caller);
    caller.batch_execute("set search_path = evil, pg_catalog, public").unwrap();
    assert!(value::<bool>(caller, &format!("select net.cancel({waiting})")));
    caller.batch_execute(&format!("select net._await_response(-{id})")).unwrap();
    caller
        .batch_execute("select net._urlencode_string('a b'), net._encode_url_with_params_array('http://a/', '{b=c}')")
        .unwrap();
}

/// Operators, functions, casts and tables that a search path finds before Postgres' own.
#[test]
fn code_planted_in_the_search_path_runs_with_the_rights_of_its_caller_alone() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute(MALLORY).unwrap();
    let mut mallory = fixture.cluster.connect_as("mallory", "postgres");
    mallory.batch_execute(NOTE).unwrap();
    mallory.batch_execute(OVERLOADS).unwrap();
    fixture
        .client
        .batch_execute(
            "alter database postgres set search_path = evil, pg_catalog, public;
             alter role postgres set search_path = evil, pg_catalog, public;
             select net.worker_restart();
             create role bob login;",
        )
        .unwrap();
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    assert_eq!(runners(&fixture.cluster), [""; 0]);
    // The worker claims, sends, records and expires with the planted ones in its role's search path.
    let url = fixture.receiver.url("/asked");
    for user in ["postgres", "alice", "signaller"] {
        let mut caller = fixture.cluster.connect_as(user, "postgres");
        call_everything(&mut fixture.client, &mut caller, user, &url);
    }
    fixture
        .client
        .batch_execute(
            "set search_path = evil, pg_catalog; select net.set_queue_logged(true), net.set_responses_logged(true)",
        )
        .unwrap();
    fixture
        .client
        .batch_execute("alter role postgres set pg_net.ttl = '0 seconds'; select net.worker_restart()")
        .unwrap();
    let mut plain = fixture.cluster.connect();
    plain.batch_execute("set search_path = pg_catalog; select net.wait_until_running()").unwrap();
    testkit::wait_until("the responses to expire", testkit::PATIENCE, || {
        value::<i64>(&mut plain, "select count(*) from net._http_response") == 0
    });
    assert_eq!(fixture.receiver.count(), 6);
    assert_eq!(runners(&fixture.cluster), [""; 0]);
    // They would have run, had a statement met them.
    mallory.batch_execute("set search_path = evil, pg_catalog; select 1::bigint = 1::bigint").unwrap();
    assert_eq!(runners(&fixture.cluster), ["mallory"]);
}

/// Row-level security comes first: no expression of a query meets a row that is not the caller's.
#[test]
fn code_planted_in_a_query_meets_no_rows_of_others() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute(MALLORY).unwrap();
    let mut alice = fixture.cluster.connect_as("alice", "postgres");
    let url = fixture.receiver.url("/alices");
    let id = Call::get(&url).send(&mut alice);
    fixture.response(id);
    let held = fixture.receiver.url("/hang");
    Call::get(&held).timeout(20_000).send(&mut alice);
    fixture.client.batch_execute("analyze net.http_request_queue, net._http_response").unwrap();
    let mut mallory = fixture.cluster.connect_as("mallory", "postgres");
    mallory
        .batch_execute(
            "create function evil.leak(anyelement) returns bool language plpgsql cost 0.0000001 as $$
             begin
                 raise log 'planted: runs as % and sees %', current_user, $1;
                 return true;
             end $$;
             create view evil.peek as select * from net._http_response r where evil.leak(r.content)",
        )
        .unwrap();
    for query in [
        "select * from net._http_response r where evil.leak(r.content)",
        "select * from net._http_response r where evil.leak(r)",
        "select * from net.http_request_queue q where evil.leak(q.url)",
        "select * from net.http_request_queue q order by evil.leak(q.url)",
        "select * from net._http_response r join net.http_request_queue q on evil.leak(q.url) and evil.leak(r.content)",
        "select * from evil.peek",
        "select 1 from (select 1 / (status_code - 200) as n from net._http_response) as r where r.n > 0",
        "select * from (table net._http_response) as r",
        "set enable_seqscan = off; select * from net._http_response r where r.id = 1 and evil.leak(r.content)",
    ] {
        for message in mallory.simple_query(query).unwrap_or_else(|error| panic!("{query}: {error:?}")) {
            assert!(!matches!(message, postgres::SimpleQueryMessage::Row(_)), "{query}");
        }
    }
    assert_eq!(runners(&fixture.cluster), [""; 0]);
}

/// A note for the worker with a number that no row has must not keep it from the rows that there are.
#[test]
fn planted_row_keys_do_not_stop_the_worker() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute(MALLORY).unwrap();
    let mut mallory = fixture.cluster.connect_as("mallory", "postgres");
    for key in ["-9223372036854775808", "-1", "0", "9223372036854775807"] {
        let note = format!("select net._note_row_key({key})");
        assert_eq!(error_of(&mut mallory, &note).0, "42501");
        fixture.client.batch_execute(&format!("{note}; select net.wake()")).unwrap();
        fixture.assert_works();
    }
}
