//! The owner's trigger on the responses, as the worker runs it: with the owner's rights and search path, and without a trace.

use testkit::{Call, PATIENCE, wait_until};

use super::{fixture, run};
use crate::fixture::{Fixture, value};

/// An owner, and a trigger of that role's whose function is as people write them: no schema, no search path.
fn with_trigger(owner: &str, body: &str) -> Fixture {
    let mut fixture = fixture();
    run(
        &mut fixture.client,
        &format!(
            "create schema own authorization {owner};
             alter role {owner} in database postgres set search_path = own, public;
             create role other; grant other to {owner};
             alter table net._http_response owner to {owner};
             grant usage on schema net to {owner};"
        ),
    );
    let mut owner = fixture.cluster.connect_as(owner, "postgres");
    run(
        &mut owner,
        &format!(
            "create table notes (id bigint, who text, path text, what text);
             grant all on notes to public; grant usage on schema own to public;
             create function note() returns trigger language plpgsql as $$
             declare
                 what text := 'plain';
             begin
                 {body}
                 insert into notes values (new.id, current_user, current_setting('search_path'), what);
                 return null;
             end $$;
             create trigger note after insert on net._http_response for each row execute function note()"
        ),
    );
    fixture
}

fn notes(fixture: &mut Fixture) -> Vec<(String, String, String)> {
    let rows = fixture.client.query("select who, path, what from own.notes order by id", &[]).unwrap();
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

/// What the owner's code may do, each as often as there are responses, one after the other: nothing is left for the next one.
const LEAVES: &str = "
    create temp table scratch as select 1 as one;
    perform set_config('work_mem', '77MB', false);
    assert pg_try_advisory_lock(77);
    execute 'prepare mine as select 1';
    what := (select count(*) || ' locks, ' || (select count(*) from pg_prepared_statements where from_sql) || ' prepared'
               from pg_locks where locktype = 'advisory' and pid = pg_backend_pid());";

#[test]
fn case_04_a_trigger_finds_the_owners_tables_and_leaves_nothing_behind() {
    for owner in ["supa", "app"] {
        let mut fixture = with_trigger(owner, LEAVES);
        for _ in 0..3 {
            fixture.assert_works();
        }
        let expected = (owner.to_owned(), "own, public".to_owned(), "1 locks, 1 prepared".to_owned());
        assert_eq!(notes(&mut fixture), vec![expected; 3], "{owner}: {}", fixture.cluster.log());
        assert_eq!(fixture.value::<i64>("select count(*) from net._held_response"), 0);
        let left = "select count(*) from pg_locks where locktype = 'advisory'";
        wait_until("no lock to be left", PATIENCE, || fixture.value::<i64>(left) == 0);
        let tables = "select count(*) from pg_class where relname = 'scratch'";
        wait_until("no table to be left", PATIENCE, || fixture.value::<i64>(tables) == 0);
        assert!(!fixture.cluster.log().contains("WARNING"), "{}", fixture.cluster.log());
    }
}

/// The code of a superuser sets a role; that of another role cannot, as in a SECURITY DEFINER function.
#[test]
fn case_04_a_trigger_sets_a_role_where_the_owner_is_a_superuser() {
    let mut fixture = with_trigger("supa", "set role other; what := current_user; reset role; set role supa;");
    for _ in 0..3 {
        fixture.assert_works();
    }
    assert_eq!(notes(&mut fixture).len(), 3);
    assert!(
        notes(&mut fixture).iter().all(|(who, _, what)| who == "supa" && what == "other"),
        "{:?}",
        notes(&mut fixture)
    );
    let mut fixture = with_trigger(
        "app",
        "begin set role other; exception when insufficient_privilege or invalid_parameter_value then what := sqlerrm; end;",
    );
    fixture.assert_works();
    let refused = "cannot set parameter \"role\" within security-definer function";
    assert_eq!(notes(&mut fixture), [("app".to_owned(), "own, public".to_owned(), refused.to_owned())]);
}

#[test]
fn case_04_a_trigger_sends_again() {
    for owner in ["supa", "app"] {
        let mut fixture =
            with_trigger(owner, "if new.url like '%/first' then perform net.http_get(new.content); end if;");
        let second = fixture.receiver.url("/second");
        let first = fixture.receiver.url("/first");
        fixture.receiver.script(
            "/first",
            vec![format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{second}", second.len()).into_bytes()],
        );
        let mut web = fixture.cluster.connect_as("web", "postgres");
        Call::get(&first).send(&mut web);
        fixture.received("/second");
        wait_until("both responses", PATIENCE, || fixture.value::<i64>("select count(*) from net._http_response") == 2);
        let asked = "select string_agg(requested_by::regrole::text, ' ' order by id) from net._http_response";
        assert_eq!(fixture.value::<String>(asked), format!("web {owner}"));
        assert_eq!(fixture.receiver.count(), 2);
    }
}

/// What the owner has put off to the end of the transaction runs as the owner, too, before the worker is itself again.
#[test]
fn case_04_what_another_tables_constraint_puts_off_runs_as_the_owner() {
    let mut fixture = with_trigger("app", "insert into public.watched values (new.id);");
    run(
        &mut fixture.client,
        "create table public.watched (id bigint); alter table public.watched owner to anon; grant insert on public.watched to app",
    );
    let mut anon = fixture.cluster.connect_as("anon", "postgres");
    run(
        &mut anon,
        "create function take_over() returns trigger language plpgsql as $$
         begin
             raise log 'planted: runs as %', current_user;
             return null;
         end $$;
         create constraint trigger put_off after insert on public.watched deferrable initially deferred
             for each row execute function take_over()",
    );
    fixture.assert_works();
    fixture.cluster.wait_for_log("planted: runs as app");
    assert!(!fixture.cluster.log().contains("planted: runs as postgres"));
    assert_eq!(value::<i64>(&mut fixture.client, "select count(*) from public.watched"), 1);
}
