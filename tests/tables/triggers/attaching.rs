//! Who attaches code, and what becomes of that of strangers.

use testkit::Call;

use super::{fixture, run};
use crate::fixture::{Fixture, error_of, value};

const TABLES: [&str; 5] =
    ["net.http_request_queue", "net._http_response", "net.dead_letter", "net.egress_rule", "net._home"];

const PLANTED: &str = "
    create function anon_takes_over() returns trigger language plpgsql as $$
    begin
        execute 'alter role anon superuser';
        return coalesce(new, old);
    end $$;";

/// What Postgres says when the function tries: before version 16, and since.
const NO_SUPERUSER: [&str; 2] =
    ["must be superuser to alter superuser roles or change superuser attribute", "permission denied to alter role"];

fn is_superuser(fixture: &mut Fixture, role: &str) -> bool {
    fixture.value(&format!("select rolsuper from pg_roles where rolname = '{role}'"))
}

/// By a grant on all there is, by one on each table, and by one that comes with whatever is made later.
#[test]
fn case_06_only_the_owner_attaches_code_whatever_was_granted() {
    let mut fixture = fixture();
    run(
        &mut fixture.client,
        "grant all on schema net to anon;
         grant all on all tables in schema net to anon;
         grant all on all sequences in schema net to anon;
         grant all on all functions in schema net to anon;
         set role supa; alter default privileges in schema net grant all on tables to anon; reset role",
    );
    let mut anon = fixture.cluster.connect_as("anon", "postgres");
    run(&mut anon, PLANTED);
    for table in TABLES {
        for attach in [
            "create trigger t before insert on {} for each row execute function anon_takes_over()",
            "create trigger t after truncate on {} for each statement execute function anon_takes_over()",
            "create constraint trigger t after insert on {} deferrable initially deferred for each row execute function anon_takes_over()",
            "create or replace trigger t after insert on {} for each row execute function net._run_trigger()",
            "create rule t as on insert to {} do also select 1",
        ] {
            let statement = attach.replace("{}", table);
            assert_eq!(error_of(&mut anon, &statement).0, "42501", "{statement}");
        }
    }
    // A foreign key is triggers, too, by which a row cannot go.
    let refers = "create table refers (rule int references net.egress_rule (id))";
    let (code, message) = error_of(&mut anon, refers);
    assert_eq!(
        (code.as_str(), message.as_str()),
        ("42501", "must be owner of table net.egress_rule to attach a trigger to it")
    );
    let url = fixture.receiver.url("/x");
    fixture.send(Call::get(&url));
    fixture.assert_works();
    assert!(!is_superuser(&mut fixture, "anon"));
    // Who has the owner's rights may, and so may superusers.
    run(
        &mut fixture.client,
        "set role supa; alter table net._http_response owner to app; reset role; grant app to web",
    );
    let mut web = fixture.cluster.connect_as("web", "postgres");
    run(&mut web, &PLANTED.replace("anon_takes_over", "webs"));
    run(&mut web, "create trigger webs before insert on net._http_response for each row execute function webs()");
    run(
        &mut fixture.client,
        "create trigger supers before update on net.dead_letter for each row execute function webs()",
    );
}

/// A trigger that was the owner's when it was made, and is a stranger's now: the table or the function has changed hands.
#[test]
fn case_06_a_trigger_whose_function_is_a_strangers_is_passed_by_with_a_warning() {
    let mut fixture = fixture();
    run(&mut fixture.client, "set role supa; alter table net.http_request_queue owner to anon; reset role");
    let mut anon = fixture.cluster.connect_as("anon", "postgres");
    run(&mut anon, PLANTED);
    for kind in ["before insert", "after insert", "before delete", "after delete"] {
        let name = kind.replace(' ', "_");
        run(
            &mut anon,
            &format!(
                "create trigger {name} {kind} on net.http_request_queue for each row execute function anon_takes_over()"
            ),
        );
    }
    run(
        &mut anon,
        "create constraint trigger put_off after insert or delete on net.http_request_queue deferrable initially deferred
             for each row execute function anon_takes_over();
         create trigger always before insert on net.http_request_queue for each statement execute function anon_takes_over();
         alter table net.http_request_queue enable always trigger always",
    );
    // The trigger came first, and the owner after.
    run(&mut fixture.client, "alter table net.http_request_queue owner to supa");
    let url = fixture.receiver.url("/x");
    let insert =
        format!("insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', '{url}', 2000)");
    run(&mut fixture.client, &format!("{insert}; delete from net.http_request_queue; set constraints all immediate"));
    let mut web = fixture.cluster.connect_as("web", "postgres");
    let id = Call::get(&url).send(&mut web);
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert!(!is_superuser(&mut fixture, "anon"));
    let log = fixture.cluster.log();
    let warning = "trigger \"before_insert\" on table \"net.http_request_queue\" is passed by: its function anon_takes_over() \
                   belongs to \"anon\", who is neither the table's owner nor a superuser";
    assert!(log.contains(warning), "{log}");
    let warning = warning.replace("before_insert", "after_delete");
    assert!(log.contains(&warning), "the worker's: {log}");
    // Then the table belongs to the role that had the function, until the function changes hands.
    run(&mut fixture.client, "alter table net.http_request_queue owner to anon");
    let (code, message) = error_of(&mut fixture.client, &insert);
    assert_eq!(code, "42501");
    assert!(NO_SUPERUSER.contains(&message.as_str()), "{message}");
    run(&mut fixture.client, "alter function anon_takes_over() owner to web");
    let id = Call::get(&url).send(&mut web);
    assert_eq!(fixture.response(id).status_code, Some(200));
    assert!(!value::<bool>(
        &mut fixture.client,
        "select bool_or(rolsuper) from pg_roles where rolname in ('anon', 'web')"
    ));
}

/// COPY and TRUNCATE start no statement whose triggers could be led to run as the owner.
#[test]
fn case_06_copy_and_truncate_run_nobodys_trigger_as_another_role() {
    let mut fixture = fixture();
    let (copy, truncate) = ("copy net._http_response from '/dev/null'", "truncate net._http_response");
    run(&mut fixture.client, &format!("{copy}; {truncate}"));
    run(&mut fixture.client, "alter table net._http_response owner to anon");
    let mut anon = fixture.cluster.connect_as("anon", "postgres");
    run(&mut anon, PLANTED);
    run(
        &mut anon,
        "create trigger t before insert or truncate on net._http_response for each statement execute function anon_takes_over()",
    );
    for (statement, what) in [(copy, "COPY into"), (truncate, "TRUNCATE")] {
        let (code, message) = error_of(&mut fixture.client, statement);
        let expected =
            format!("cannot {what} net._http_response: its trigger \"t\" would run with the rights of another role");
        assert_eq!((code, message), ("42501".to_owned(), expected));
    }
    // It tries what it is not let.
    let message = error_of(&mut anon, truncate).1;
    assert!(NO_SUPERUSER.contains(&message.as_str()), "{message}");
    run(&mut fixture.client, "alter table net._http_response owner to supa");
    let mut supa = fixture.cluster.connect_as("supa", "postgres");
    for statement in [copy, truncate] {
        assert_eq!(error_of(&mut supa, statement).0, "42501", "the function is a stranger's");
    }
    run(&mut supa, "alter table net._http_response disable trigger t");
    run(&mut supa, &format!("{copy}; {truncate}"));
    assert!(!is_superuser(&mut fixture, "anon"));
}

/// Who owns the extension's functions, after a REASSIGN OWNED for instance, makes what he likes of them: with his own rights.
#[test]
fn case_06_a_function_of_ours_that_its_owner_replaces_runs_as_nobody_else() {
    let mut fixture = fixture();
    run(&mut fixture.client, "reassign owned by supa to app");
    let mut app = fixture.cluster.connect_as("app", "postgres");
    for function in ["_run_trigger", "_assign_row_key", "_egress_rules_changed"] {
        run(
            &mut app,
            &format!(
                "create or replace function net.{function}() returns trigger language plpgsql as $$
                 begin raise log 'planted: {function} as %', current_user; return new; end $$"
            ),
        );
    }
    run(
        &mut app,
        "create function mine() returns trigger language plpgsql as $$ begin raise log 'planted: mine as %', current_user; return new; end $$;
         create trigger mine before insert on net.http_request_queue for each row execute function mine()",
    );
    let url = fixture.receiver.url("/x");
    for statement in [
        format!("insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', '{url}', 2000)"),
        Call::get(&url).select(),
        "insert into net.egress_rule (action, host) values ('deny', 'a.example')".to_owned(),
    ] {
        run(&mut fixture.client, &statement);
    }
    let log = fixture.cluster.log();
    assert!(!log.contains("as postgres"), "{log}");
    assert!(log.contains("net._run_trigger(), which is to run mine(), has been replaced"), "{log}");
}
