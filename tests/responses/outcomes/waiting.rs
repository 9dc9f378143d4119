//! Waiting for responses: with the least rights, whatever the session is set to, and around transactions.

use std::time::Duration;

use postgres::Client;
use testkit::{Call, PATIENCE, Receiver};

use crate::fixture::{Fixture, allow_at_most, error_of, value};

/// The functions that wait, each as an expression that is true when the request `ID` was answered with 200.
const WAITS: [(&str, &str); 5] = [
    (
        "net.await_response(bigint,interval)",
        "(select status = 'SUCCESS' and (response).status_code = 200 from net.await_response(ID))",
    ),
    (
        "net.await_responses(bigint[],interval)",
        "(select status = 'SUCCESS' and (response).status_code = 200 from net.await_responses(array[ID]))",
    ),
    ("net._await_response(bigint)", "net._await_response(ID)"),
    (
        "net._http_collect_response(bigint,boolean)",
        "((net._http_collect_response(ID, async := false)).response).status_code = 200",
    ),
    (
        "net.http_collect_response(bigint,boolean)",
        "((net.http_collect_response(ID, async := false)).response).status_code = 200",
    ),
];

fn of(wait: &str, id: impl std::fmt::Display) -> String {
    wait.replace("ID", &id.to_string())
}

/// Everything that a plain role may run, in a session that must not be shown a part of a table for the whole.
#[test]
fn case_17b_waiting_works_with_row_security_off() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role web login; alter role web set row_security = off").unwrap();
    let mut web = fixture.cluster.connect_as("web", "postgres");
    allow_at_most(&mut web, PATIENCE);
    let url = fixture.receiver.url("/");
    for call in [
        "http_get('URL')",
        "http_head('URL')",
        "http_post('URL')",
        "http_put('URL')",
        "http_patch('URL')",
        "http_delete('URL')",
        "http_request('PURGE', 'URL')",
        "http_request('POST', 'URL', 'a', max_attempts := 2)",
    ] {
        let id = value::<i64>(&mut web, &format!("select net.{}", call.replace("URL", &url)));
        for (function, wait) in WAITS {
            assert!(value::<bool>(&mut web, &format!("select {}", of(wait, id))), "{call}, {function}");
        }
        let collected = format!("select (net._http_collect_response({id})).message");
        assert_eq!(value::<String>(&mut web, &collected), "ok", "{call}");
    }
    let id = Call::request("GET", &url).not_before("now() + '1 hour'").send(&mut web);
    assert!(value::<bool>(&mut web, &format!("select net.cancel({id})")));
    let refused = Receiver::refused_port();
    fixture.cluster.alter_system("pg_net.retry_base", "1");
    let id = Call::request("GET", &refused.url("/")).max_attempts(2).timeout(500).send(&mut web);
    for _ in 0..2 {
        let message: String = value(&mut web, &format!("select message from net.await_response({id})"));
        assert_eq!(message, "Couldn't connect to server");
        assert!(value::<bool>(&mut web, &format!("select net.retry({id})")));
    }
    web.batch_execute("select net.wake(), net.wait_until_running(), net.check_worker_is_up()").unwrap();
    // The session's setting is what it was.
    assert_eq!(value::<String>(&mut web, "show row_security"), "off");
}

/// After a script that revokes all, with what the documentation of the C version has a role need.
#[test]
fn case_17b_waiting_needs_no_more_than_execute_and_select_on_both_tables() {
    let mut fixture = Fixture::new();
    let harden = "revoke all on all functions in schema net from public;
                  revoke all on all tables in schema net from public;
                  revoke all on all sequences in schema net from public;
                  revoke all on schema net from public;
                  create role asker login; grant usage on schema net to asker;
                  grant execute on function net.http_get(text, jsonb, jsonb, integer) to asker;
                  grant execute on function net.http_request(text, text, text, jsonb, jsonb, integer, integer,
                                                             net.delivery, timestamptz, text) to asker";
    fixture.client.batch_execute(harden).unwrap();
    fixture.cluster.alter_system("pg_net.retry_base", "1");
    let mut asker = fixture.cluster.connect_as("asker", "postgres");
    let (url, refused) = (fixture.receiver.url("/"), Receiver::refused_port());
    for (number, (function, wait)) in WAITS.into_iter().enumerate() {
        let role = format!("waiter{number}");
        let grants = format!(
            "create role {role} login in role asker;
             grant usage on schema net to {role}; grant execute on function {function} to {role}"
        );
        fixture.client.batch_execute(&grants).unwrap();
        let mut waiter = fixture.cluster.connect_as(&role, "postgres");
        allow_at_most(&mut waiter, PATIENCE);
        let id = Call::get(&url).send(&mut asker);
        let waits = format!("select {}", of(wait, id));
        assert_eq!(error_of(&mut waiter, &waits).0, "42501", "{function} without SELECT");
        let select = format!("grant select on net.http_request_queue, net._http_response to {role}");
        fixture.client.batch_execute(&select).unwrap();
        assert!(value::<bool>(&mut waiter, &waits), "{function}");
        // A role that may not see the dead letter is told of the response.
        let id = Call::request("GET", &refused.url("/")).text("").max_attempts(2).send(&mut asker);
        let told: String = value(&mut waiter, &format!("select coalesce(({})::text, 'null')", of(wait, id)));
        assert!(!value::<bool>(
            &mut fixture.client,
            &format!("select has_table_privilege('{role}', 'net.dead_letter', 'select')")
        ));
        let expected = match function {
            _ if function.starts_with("net._await") => "true",
            _ if function.starts_with("net.await") => "false",
            _ => "null",
        };
        assert_eq!(told, expected, "{function}");
        let message: Option<String> =
            value(&mut fixture.client, &format!("select error_msg from net._http_response where id = {id}"));
        assert_eq!(message.as_deref(), Some("Couldn't connect to server"), "{function} waited for the last attempt");
    }
}

/// Makes a procedure that asks, ends the transaction, waits, and notes what came, so many times.
fn procedure(client: &mut Client, url: &str, wait: &str) {
    let create = format!(
        "create or replace procedure ask_and_wait(times int) language plpgsql as $$
         declare id bigint; answered bool;
         begin
             for n in 1..times loop
                 id := net.http_get('{url}');
                 commit;
                 answered := {};
                 insert into noted values (id, answered);
                 if n % 2 = 0 then rollback; insert into noted values (id, answered); end if;
                 commit;
             end loop;
         end $$",
        of(wait, "id")
    );
    client.batch_execute(&create).unwrap();
}

#[test]
fn case_18_a_procedure_that_commits_between_call_and_wait_gets_the_response() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create table noted (id bigint, answered bool)").unwrap();
    allow_at_most(&mut fixture.client, PATIENCE);
    let url = fixture.receiver.url("/");
    for (round, (function, wait)) in WAITS.into_iter().enumerate() {
        procedure(&mut fixture.client, &url, wait);
        fixture.client.batch_execute("call ask_and_wait(6)").unwrap_or_else(|error| panic!("{function}: {error:?}"));
        let noted = "select count(*) from noted where answered";
        assert_eq!(fixture.value::<i64>(noted), 6 * (round as i64 + 1), "{function}");
        assert_eq!(fixture.receiver.count(), 6 * (round + 1), "{function}");
    }
    // Without the commit, it is told so at once, and the procedure can go on after that.
    let forgetful = format!(
        "create procedure forgetful() language plpgsql as $$
         declare id bigint;
         begin
             id := net.http_get('{url}');
             begin
                 perform net.await_response(id);
                 raise 'waited';
             exception when object_not_in_prerequisite_state then null;
             end;
             commit;
             insert into noted select id, status = 'SUCCESS' from net.await_response(id);
         end $$;
         truncate noted"
    );
    fixture.client.batch_execute(&forgetful).unwrap();
    fixture.client.batch_execute("call forgetful()").unwrap();
    assert!(fixture.value::<bool>("select answered from noted"));
}

#[test]
fn case_18_a_block_with_an_exception_clause_gets_the_response() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create table noted (what text)").unwrap();
    allow_at_most(&mut fixture.client, PATIENCE);
    let url = fixture.receiver.url("/");
    for (function, wait) in WAITS {
        fixture.client.batch_execute("truncate noted").unwrap();
        let id = fixture.send(Call::get(&url));
        let block = format!(
            "do $$
             declare mine bigint;
             begin
                 insert into noted values ('before');
                 begin
                     insert into noted values ('within');
                     if {} then insert into noted values ('answered'); end if;
                     begin
                         if {} then insert into noted values ('again'); end if;
                         raise division_by_zero;
                     exception when division_by_zero then
                         if {} then insert into noted values ('in the handler'); end if;
                     end;
                     -- Made within this subtransaction.
                     mine := net.http_get('{url}');
                     perform {};
                 exception when object_not_in_prerequisite_state then
                     insert into noted values ('refused');
                 end;
                 insert into noted values ('after');
             end $$",
            of(wait, id),
            of(wait, id),
            of(wait, id),
            of(wait, "mine")
        );
        fixture.client.batch_execute(&block).unwrap_or_else(|error| panic!("{function}: {error:?}"));
        assert_eq!(
            fixture.value::<String>("select string_agg(what, ', ') from noted"),
            "before, refused, after",
            "{function}"
        );
        // The same block without the last wait keeps all that came before.
        fixture.client.batch_execute("truncate noted").unwrap();
        let block = block.replace(&format!("perform {};", of(wait, "mine")), "");
        fixture.client.batch_execute(&block).unwrap_or_else(|error| panic!("{function}: {error:?}"));
        let noted = "before, within, answered, in the handler, after";
        assert_eq!(fixture.value::<String>("select string_agg(what, ', ') from noted"), noted, "{function}");
    }
}

/// Wherever in the transaction the request was made, and wherever it is waited for.
#[test]
fn case_18_waiting_in_the_same_transaction_is_refused_from_inside_a_subtransaction() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, Duration::from_secs(10));
    let url = fixture.receiver.url("/never");
    let call = Call::get(&url).select();
    for (function, wait) in WAITS {
        fixture.client.batch_execute("begin").unwrap();
        let top = fixture.value::<i64>(&call);
        fixture.client.batch_execute("savepoint a").unwrap();
        let within = fixture.value::<i64>(&call);
        fixture.client.batch_execute("release a; savepoint b; savepoint c").unwrap();
        let below = fixture.value::<i64>(&call);
        for id in [top, within, below] {
            fixture.client.batch_execute("savepoint d").unwrap();
            let (state, message) = error_of(&mut fixture.client, &format!("select {}", of(wait, id)));
            assert_eq!(state, "55000", "{function}: {message}");
            fixture.client.batch_execute("rollback to d").unwrap();
            let caught = format!(
                "do $$ begin
                     begin perform {}; raise 'waited';
                     exception when object_not_in_prerequisite_state then null;
                     end;
                 end $$",
                of(wait, id)
            );
            fixture.client.batch_execute(&caught).unwrap_or_else(|error| panic!("{function}: {error:?}"));
        }
        fixture.client.batch_execute("rollback").unwrap();
    }
    fixture.assert_works();
    assert_eq!(fixture.receiver.count(), 1);
}
