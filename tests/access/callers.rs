//! A request belongs to the role that called, however the call came about: also where the request functions have been made
//! SECURITY DEFINER, as some platforms do.

use testkit::Call;

use crate::fixture::{Fixture, value};

/// What platforms run after `CREATE EXTENSION`.
const DEFINERS: &str = "
    do $$
    declare
        request_function regprocedure;
    begin
        for request_function in
            select oid from pg_proc
             where pronamespace = 'net'::regnamespace and proname ~ '^http_' and prorettype = 'int8'::regtype
        loop
            execute format('alter function %s security definer', request_function);
            execute format('alter function %s set search_path = net', request_function);
        end loop;
    end
    $$";

/// Ways of alice to call: a select of one id, and whose the request must be.
const CALLS: &[(&str, &str)] = &[
    ("select net.http_get('{url}')", "alice"),
    ("select net.http_get(timeout_milliseconds := 1000, url := '{url}')", "alice"),
    ("select net.http_post('{url}', '{}', headers := '{\"X-A\": \"b\"}')", "alice"),
    ("select net.http_delete('{url}', body := '[1]')", "alice"),
    ("select net.http_delete('{url}')", "alice"),
    ("select net.http_get('{url}', timeout_milliseconds := (select 900 + count(net.http_get('{url}')))::int)", "alice"),
    ("select net.http_get('{url}', timeout_milliseconds := 900 + (bob_calls('{url}') is null)::int)", "alice"),
    ("select net.http_put('{url}', '{}')", "alice"),
    ("select net.http_request('PURGE', '{url}', idempotency_key := 'a')", "alice"),
    ("select net.http_request('POST', '{url}', 'text', max_attempts := 2)", "alice"),
    ("execute alices_call", "alice"),
    ("select performs('{url}')", "alice"),
    ("select assigns('{url}')", "alice"),
    ("select executes('{url}')", "alice"),
    ("select inlined('{url}')", "alice"),
    ("select id from a_view", "alice"),
    ("insert into a_table (url) values ('{url}') returning id", "alice"),
    ("insert into a_ruled_table (url) values ('{url}') returning id", "alice"),
    ("insert into a_triggered_table (url) values ('{url}') returning id", "alice"),
    ("select bob_calls('{url}')", "bob"),
    ("select bob_calls_in_sql('{url}')", "bob"),
    ("select bob_calls_carol('{url}')", "carol"),
    ("select bob_reads_a_view()", "bob"),
    ("select bob_fires_a_trigger('{url}')", "bob"),
];

const SETUP: &str = r#"
    create role alice login;
    create role bob;
    create role carol;
    create function performs(url text) returns bigint language plpgsql as $$
    begin
        perform net.http_get(url);
        return currval('net.http_request_queue_id_seq');
    end $$;
    create function assigns(url text) returns bigint language plpgsql as $$
    declare
        id bigint;
    begin
        id := net.http_get(url);
        return id;
    end $$;
    create function executes(url text) returns bigint language plpgsql as $$
    declare
        id bigint;
    begin
        execute 'select net.http_get($1)' into id using url;
        return id;
    end $$;
    create function inlined(url text) returns bigint language sql as 'select net.http_get(url)';
    create view a_view as select net.http_get('{url}') as id;
    create table a_table (url text, id bigint default net.http_get('{url}'));
    create table a_ruled_table (url text, id bigint);
    create rule calls as on insert to a_ruled_table
        do instead insert into a_table values (new.url, net.http_get(new.url)) returning a_table.url, a_table.id;
    create table a_triggered_table (url text, id bigint);
    create function calls_in_a_trigger() returns trigger language plpgsql as $$
    begin
        new.id := net.http_post(new.url);
        return new;
    end $$;
    create trigger calls before insert on a_triggered_table for each row execute function calls_in_a_trigger();
    create function bob_calls(url text) returns bigint language plpgsql security definer as $$
    begin
        return net.http_get(url);
    end $$;
    create function bob_calls_in_sql(url text) returns bigint language sql security definer as 'select net.http_get(url)';
    create function carol_calls(url text) returns bigint language plpgsql security definer set search_path = public as $$
    begin
        return net.http_get(url);
    end $$;
    create function bob_calls_carol(url text) returns bigint language plpgsql security definer as $$
    begin
        return carol_calls(url);
    end $$;
    create function bob_reads_a_view() returns bigint language sql security definer as 'select id from a_view';
    create function bob_fires_a_trigger(url text) returns bigint language sql security definer as
        'insert into a_triggered_table (url) values (url) returning id';
    alter function bob_calls owner to bob;
    alter function bob_calls_in_sql owner to bob;
    alter function bob_calls_carol owner to bob;
    alter function bob_reads_a_view owner to bob;
    alter function bob_fires_a_trigger owner to bob;
    alter function carol_calls owner to carol;
    grant all on all tables in schema public to public;
    grant usage on sequence net.http_request_queue_id_seq to alice;
"#;

fn fixture() -> (Fixture, String) {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/called");
    fixture.client.batch_execute(&SETUP.replace("{url}", &url)).unwrap();
    (fixture, url)
}

/// Calls in every way, and fails the test unless each request is whose it must be.
#[track_caller]
fn assert_callers(fixture: &mut Fixture, url: &str) {
    let mut alice = fixture.cluster.connect_as("alice", "postgres");
    alice.batch_execute(&format!("prepare alices_call as select net.http_get('{url}')")).unwrap();
    for plans in ["auto", "force_generic_plan"] {
        alice.batch_execute(&format!("set plan_cache_mode = {plans}")).unwrap();
        // Plans are kept, and used again.
        for _ in 0..2 {
            for (call, expected) in CALLS {
                let id = value::<i64>(&mut alice, &call.replace("{url}", url));
                fixture.response(id);
                let of = format!("select requested_by::regrole::text from net._http_response where id = {id}");
                assert_eq!(fixture.value::<String>(&of), *expected, "{call}");
            }
        }
    }
}

#[test]
fn the_recorded_caller_is_the_role_that_called() {
    let (mut fixture, url) = fixture();
    assert_callers(&mut fixture, &url);
}

#[test]
fn the_recorded_caller_of_a_function_made_security_definer_is_the_role_that_called() {
    let (mut fixture, url) = fixture();
    fixture.client.batch_execute(DEFINERS).unwrap();
    assert_callers(&mut fixture, &url);
}

/// A session that has plans from before goes on with new ones.
#[test]
fn the_recorded_caller_is_right_before_and_after_a_function_is_made_security_definer() {
    let (mut fixture, url) = fixture();
    let mut alice = fixture.cluster.connect_as("alice", "postgres");
    let call = format!("select performs('{url}') + 0 * assigns('{url}')");
    value::<i64>(&mut alice, &call);
    fixture.client.batch_execute(DEFINERS).unwrap();
    value::<i64>(&mut alice, &call);
    fixture.client.batch_execute(&DEFINERS.replace("security definer", "security invoker")).unwrap();
    value::<i64>(&mut alice, &call);
    assert_eq!(testkit::responses(&mut fixture.client, 6).len(), 6);
    let others = "select count(*) from net._http_response where requested_by <> 'alice'::regrole";
    assert_eq!(
        (fixture.value::<i64>(others), value::<i64>(&mut alice, "select count(*) from net._http_response")),
        (0, 6)
    );
}

/// What a role leaves behind in the session must not make the next role's request count as its own.
#[test]
fn the_recorded_caller_cannot_be_forged() {
    let (mut fixture, url) = fixture();
    let mut alice = fixture.cluster.connect_as("alice", "postgres");
    for made in ["invoker", "definer"] {
        fixture.client.batch_execute(&DEFINERS.replace("security definer", &format!("security {made}"))).unwrap();
        let id = value::<i64>(
            &mut alice,
            &format!(
                "select bob_calls('{url}' || left(current_setting('pg_net.caller'), 0)) from current_setting('pg_net.caller')"
            ),
        );
        fixture.response(id);
        let of = format!("select requested_by::regrole::text from net._http_response where id = {id}");
        assert_eq!(fixture.value::<String>(&of), "bob", "{made}");
    }
}

/// The caller may cancel and retry a request, not the owner of the function.
#[test]
fn only_the_recorded_caller_cancels_and_retries() {
    let (mut fixture, url) = fixture();
    fixture
        .client
        .batch_execute(
            "alter function net.cancel(bigint) security definer;
             alter function net.retry security definer;
             insert into net.dead_letter (id, method, url, timeout_milliseconds, requested_by, max_attempts, attempts)
             values (-1, 'GET', 'http://127.0.0.1:9/', 100, 'bob'::regrole, 1, 1)",
        )
        .unwrap();
    let waits = Call::request("GET", &url).not_before("now() + interval '1 hour'").select();
    fixture.client.batch_execute(&format!("set role bob; {waits}; reset role")).unwrap();
    let bobs: i64 = fixture.value("select id from net.http_request_queue");
    let mut alice = fixture.cluster.connect_as("alice", "postgres");
    let own = value::<i64>(&mut alice, &waits);
    assert!(!value::<bool>(&mut alice, &format!("select net.cancel({bobs})")));
    assert!(!value::<bool>(&mut alice, "select net.retry(-1)"));
    assert!(value::<bool>(&mut alice, &format!("select net.cancel({own})")));
    assert_eq!(fixture.value::<i64>("select id from net.http_request_queue"), bobs);
    assert_eq!(fixture.value::<i64>("select count(*) from net.dead_letter"), 1);
}

/// The right to call is asked of the caller, and no more rights than that.
#[test]
fn a_caller_needs_execute_on_the_function_and_on_no_other() {
    let (mut fixture, url) = fixture();
    fixture.client.batch_execute(DEFINERS).unwrap();
    fixture
        .client
        .batch_execute(
            "revoke all on all functions in schema net from public;
             revoke all on all tables in schema net from public;
             revoke all on all sequences in schema net from public;
             grant execute on function net.http_get(text, jsonb, jsonb, integer) to alice",
        )
        .unwrap();
    let mut alice = fixture.cluster.connect_as("alice", "postgres");
    let id = Call::get(&url).send(&mut alice);
    fixture.response(id);
    let of = format!("select requested_by::regrole::text from net._http_response where id = {id}");
    assert_eq!(fixture.value::<String>(&of), "alice");
    for call in ["select net.http_post('{url}')", "select net.http_delete('{url}')", "select bob_calls('{url}')"] {
        let (state, message) = crate::fixture::error_of(&mut alice, &call.replace("{url}", &url));
        assert_eq!(state, "42501", "{call}: {message}");
    }
}
