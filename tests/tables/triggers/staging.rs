//! Code on the responses that fails, or takes its time: it holds up its own response, and no other.

use std::time::{Duration, Instant};

use testkit::{Call, PATIENCE, Shutdown, wait_until};

use super::{fixture, run};
use crate::fixture::{Fixture, value};

/// A trigger that raises, one that lacks a right, and one that sleeps, each for a reply of its own.
const TROUBLE: &str = "
    create table secret ();
    create function trouble() returns trigger language plpgsql as $$
    begin
        case new.status_code
            when 418 then raise exception using errcode = '53100', message = 'no teapots';
            when 417 then raise insufficient_privilege;
            when 416 then perform pg_sleep(60);
            else null;
        end case;
        return new;
    end $$;
    create trigger trouble before insert on net._http_response for each row execute function trouble();";

const BAD: [u16; 3] = [418, 417, 416];

fn with_trouble(timeout: &str) -> Fixture {
    let mut fixture = fixture();
    fixture.cluster.alter_system("pg_net.trigger_timeout", timeout);
    run(&mut fixture.client, TROUBLE);
    fixture
}

fn ask_for(fixture: &mut Fixture, status: u16) -> i64 {
    let url = fixture.receiver.url(&format!("/status/{status}"));
    fixture.send(Call::get(&url))
}

fn held(fixture: &mut Fixture) -> i64 {
    fixture.value("select count(*) from net._held_response")
}

fn arrivals(fixture: &Fixture, status: u16) -> usize {
    let path = format!("/status/{status}");
    fixture.receiver.requests().iter().filter(|request| request.path() == path).count()
}

#[test]
fn case_04_code_that_fails_or_sleeps_holds_up_no_other_response() {
    let mut fixture = with_trouble("5s");
    let good = fixture.receiver.url("/good");
    let mut took = Vec::new();
    for round in 0..10 {
        for bad in BAD {
            ask_for(&mut fixture, bad);
        }
        let asked = Instant::now();
        let id = fixture.send(Call::get(&good));
        let answer = value::<String>(&mut fixture.client, &format!("select (net.await_response({id})).status::text"));
        took.push(asked.elapsed());
        assert_eq!(answer, "SUCCESS", "{round}");
    }
    took.sort_unstable();
    assert!(took[5] < Duration::from_millis(100) && took[9] < Duration::from_millis(500), "{took:?}");
    assert!(held(&mut fixture) > 0);
}

#[test]
fn case_04_an_outcome_that_is_kept_away_is_never_sent_again_and_stored_in_the_end() {
    let mut fixture = with_trouble("300ms");
    run(&mut fixture.client, "alter table net._http_response enable always trigger trouble");
    let ids = BAD.map(|status| ask_for(&mut fixture, status));
    wait_until("the outcomes to be held", PATIENCE, || held(&mut fixture) == 3);
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
    run(&mut fixture.client, "select net.worker_restart(); select net.wait_until_running()");
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    run(&mut fixture.client, &format!("select pg_terminate_backend({worker})"));
    fixture.cluster.stop(Shutdown::Fast);
    fixture.cluster.start();
    fixture.client = fixture.cluster.connect();
    run(&mut fixture.client, "select net.wait_until_running()");
    for (status, id) in BAD.into_iter().zip(ids) {
        assert_eq!(fixture.response(id).status_code, Some(i32::from(status)));
        assert_eq!(arrivals(&fixture, status), 1, "{status}");
    }
    wait_until("nothing to be held", PATIENCE, || held(&mut fixture) == 0);
    let log = fixture.cluster.log();
    let [teapot, right, sleeper] = ids;
    let trigger = "trigger \"trouble\" on table \"net._http_response\", which runs public.trouble()";
    for (id, what) in [
        (teapot, "no teapots (SQLSTATE 53100); context: PL/pgSQL function trouble() line 4 at RAISE"),
        (right, "insufficient_privilege (SQLSTATE 42501); context: PL/pgSQL function trouble() line 5 at RAISE"),
        (
            sleeper,
            "it took longer than 300 ms; context: SQL statement \"SELECT pg_sleep(60)\"; PL/pgSQL function trouble() line 6 at PERFORM",
        ),
    ] {
        let said =
            format!("the response to request {id} is stored without triggers, which failed 5 times: {trigger}: {what}");
        assert_eq!(log.matches(&said).count(), 1, "{said}\n{log}");
    }
}

#[test]
fn case_04_four_hundred_of_them_stop_nothing() {
    let mut fixture = with_trouble("5s");
    for bad in BAD {
        let url = fixture.receiver.url(&format!("/status/{bad}"));
        run(&mut fixture.client, &Call::get(&url).timeout(60_000).select_times(140));
    }
    wait_until("all to have arrived", 2 * PATIENCE, || fixture.receiver.count() >= 420);
    fixture.assert_works();
    wait_until("their requests to be done", 2 * PATIENCE, || {
        fixture.value::<i64>("select count(*) from net.http_request_queue") == 0
    });
    fixture.assert_works();
    assert_eq!(BAD.map(|status| arrivals(&fixture, status)), [140; 3]);
}

/// Who waits for a response that is held goes on waiting, and gets it.
#[test]
fn case_04_a_response_that_is_held_is_awaited() {
    let mut fixture = with_trouble("1s");
    let mut web = fixture.cluster.connect_as("web", "postgres");
    let url = fixture.receiver.url("/status/418");
    let id = Call::get(&url).send(&mut web);
    wait_until("the outcome to be held", PATIENCE, || held(&mut fixture) == 1);
    let status = move |timeout: &str| format!("select (net.await_response({id}, '{timeout}')).status::text");
    assert_eq!(value::<String>(&mut web, &status("0")), "PENDING");
    assert!(!value::<bool>(&mut web, &format!("select net.cancel({id})")));
    let waiter = std::thread::spawn(move || value::<String>(&mut web, &status("1 minute")));
    run(&mut fixture.client, "drop trigger trouble on net._http_response");
    assert_eq!(waiter.join().unwrap(), "SUCCESS");
    // Other roles are not told of it.
    let mut anon = fixture.cluster.connect_as("anon", "postgres");
    let id = fixture.send(Call::get(&url));
    fixture.response(id);
    assert_eq!(crate::fixture::error_of(&mut anon, &format!("select net.await_response({id}, '0')")).0, "P0002");
}

/// Table constraints hold whatever fails, and take their time like all code.
#[test]
fn case_04_what_a_constraint_refuses_ends_as_a_failure_without_content() {
    let mut fixture = fixture();
    fixture.cluster.alter_system("pg_net.trigger_timeout", "300ms");
    run(
        &mut fixture.client,
        "create function fine(status int) returns bool language plpgsql as $$
         begin
             if status = 416 then perform pg_sleep(60); end if;
             if status = 417 then raise insufficient_privilege; end if;
             return status is distinct from 418;
         end $$;
         alter table net._http_response add constraint fine check (fine(status_code))",
    );
    let ids = BAD.map(|status| ask_for(&mut fixture, status));
    fixture.assert_works();
    for (status, id) in BAD.into_iter().zip(ids) {
        fixture.response(id).assert_failure("Response could not be stored");
        let kind = format!("select error_kind || ': ' || error_detail from net._http_response where id = {id}");
        let detail = match status {
            418 => "new row for relation \"_http_response\" violates check constraint \"fine\" (SQLSTATE 23514)",
            417 => "insufficient_privilege (SQLSTATE 42501)",
            _ => "it took longer than 300 ms",
        };
        assert_eq!(fixture.value::<String>(&kind), format!("unstorable: {detail}"));
        assert_eq!(arrivals(&fixture, status), 1, "{status}");
    }
    fixture.assert_works();
}

/// A run that takes no longer than it may is no failure, however many others are quick.
#[test]
fn case_04_a_slow_trigger_has_its_time() {
    let mut fixture = fixture();
    run(
        &mut fixture.client,
        "create function slow() returns trigger language plpgsql as 'begin perform pg_sleep(0.4); return new; end';
         create trigger slow before insert on net._http_response for each row execute function slow();
         create trigger slower before insert on net._http_response for each row execute function slow()",
    );
    fixture.cluster.alter_system("pg_net.trigger_timeout", "600ms");
    for _ in 0..3 {
        fixture.assert_works();
    }
    assert!(!fixture.cluster.log().contains("without triggers"), "{}", fixture.cluster.log());
}

/// The command does not wait for a trigger.
#[test]
fn case_04_a_database_is_dropped_while_a_trigger_sleeps() {
    let mut fixture = fixture();
    run(&mut fixture.client, "create database other");
    let mut other = fixture.cluster.connect_as("postgres", "other");
    run(&mut other, "create extension pg_net");
    run(&mut other, TROUBLE);
    let url = fixture.receiver.url("/status/416");
    Call::get(&url).send(&mut other);
    wait_until("the trigger to sleep", PATIENCE, || {
        value::<bool>(
            &mut other,
            "select count(*) > 0 from pg_stat_activity where wait_event = 'PgSleep' and datname = 'other'
                                   and backend_start < now() - interval '0.2 s'",
        )
    });
    drop(other);
    let began = Instant::now();
    run(&mut fixture.client, "drop database other");
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
}

/// Outcomes that a copy of the database has brought along are the original's to store.
#[test]
fn case_04_a_copy_stores_no_held_outcome_of_the_original() {
    let fixture = fixture();
    let mut client = fixture.cluster.connect_as("postgres", "template1");
    run(&mut client, "create database original");
    let mut original = fixture.cluster.connect_as("postgres", "original");
    run(
        &mut original,
        "create extension pg_net; select net.wait_until_running();
         insert into net._held_response (id, row_key, failures, slow, due) values (77, 1, 0, false, now() + interval '1 hour')",
    );
    drop(original);
    run(&mut client, "create database copy template original");
    let mut copy = fixture.cluster.connect_as("postgres", "copy");
    let url = fixture.receiver.url("/copy");
    let id = Call::get(&url).send(&mut copy);
    wait_until("the copy's own response", PATIENCE, || {
        value::<Option<i64>>(&mut copy, "select max(id) from net._http_response") == Some(id)
    });
    let held = "select count(*) from net._held_response";
    assert_eq!(value::<i64>(&mut copy, held), 0);
    assert_eq!(value::<i64>(&mut fixture.cluster.connect_as("postgres", "original"), held), 1);
}

/// A rule is passed by as a trigger is, where the table has neither CHECKs nor columns of the user's.
#[test]
fn case_04_a_rule_that_fails_keeps_no_outcome_away() {
    let mut fixture = fixture();
    run(
        &mut fixture.client,
        "create function fails(status int) returns int language plpgsql as $$
         begin
             if status = 418 then raise 'no teapots'; end if;
             return status;
         end $$;
         create rule mine as on insert to net._http_response do also select fails(new.status_code)",
    );
    let id = ask_for(&mut fixture, 418);
    fixture.assert_works();
    assert_eq!(fixture.response(id).status_code, Some(418));
    assert_eq!(arrivals(&fixture, 418), 1);
    fixture.cluster.wait_for_log(
        "which failed 5 times: no teapots (SQLSTATE P0001); context: PL/pgSQL function fails(integer) line 3 at RAISE",
    );
}
