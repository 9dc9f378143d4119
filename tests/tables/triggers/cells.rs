//! Whose code runs as whom, in each kind of statement: `make test TEST=who_runs_what_as_whom` prints it.

use std::collections::{BTreeMap, BTreeSet};

use postgres::Client;
use testkit::{Call, PATIENCE, wait_until};

use super::{fixture, run};
use crate::fixture::{Fixture, value};

/// Each way in which code hangs on a table. `{t}` is the table's name, and each says in the log as whom it runs.
const ATTACHED: &str = "
    create function {t}_ran(what text, id bigint) returns bool immutable language plpgsql as $$
    begin raise log 'ran: % on {t} as %', what, current_user; return true; end $$;
    create function {t}_fires() returns trigger language plpgsql as $$
    begin raise log 'ran: % on {t} as %', tg_name, current_user; return coalesce(new, old); end $$;
    create function {t}_defines() returns trigger security definer language plpgsql as $$
    begin raise log 'ran: % on {t} as %', tg_name, current_user; return coalesce(new, old); end $$;
    create trigger before before insert or delete on net.{t} for each row execute function {t}_fires();
    create trigger after after insert or delete on net.{t} for each row execute function {t}_fires();
    create trigger definer after insert or delete on net.{t} for each row execute function {t}_defines();
    create trigger statement after insert or delete on net.{t} for each statement execute function {t}_fires();
    create constraint trigger deferred after insert or delete on net.{t} deferrable initially deferred
        for each row execute function {t}_fires();
    create trigger when_insert before insert on net.{t} for each row when ({t}_ran('when', new.id)) execute function {t}_fires();
    create trigger when_delete before delete on net.{t} for each row when ({t}_ran('when', old.id)) execute function {t}_fires();
    alter table net.{t} add check ({t}_ran('check', id));
    alter table net.{t} add column d bool default {t}_ran('default', 1);
    alter table net.{t} add column g bool generated always as ({t}_ran('generated', id)) stored;
    create index on net.{t} (({t}_ran('index', id)));
    create rule rule as on insert to net.{t} do also select {t}_ran('rule', new.id);";

/// What runs as part of a statement, and not by itself.
const PARTS: [&str; 6] = ["when", "check", "default", "generated", "index", "rule"];
const TRIGGERS: [&str; 7] = ["before", "after", "definer", "statement", "deferred", "when_insert", "when_delete"];

/// By table and kind, the roles.
type Ran = BTreeMap<(String, String), BTreeSet<String>>;

fn ran(log: &str) -> Ran {
    let mut ran = Ran::new();
    for line in log.lines().filter_map(|line| line.split_once("ran: ")).map(|(_, line)| line) {
        let [kind, "on", table, "as", role] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        ran.entry((table.to_owned(), kind.to_owned())).or_default().insert(role.to_owned());
    }
    ran
}

/// Does something, and gives who ran what meanwhile.
fn during(fixture: &mut Fixture, act: impl FnOnce(&mut Fixture)) -> Ran {
    let before = fixture.cluster.log().len();
    act(fixture);
    ran(&fixture.cluster.log()[before..])
}

/// The owners of the tables, on whose tables code hangs in each of these ways.
const OWNERS: [(&str, &str); 3] = [("http_request_queue", "app"), ("_http_response", "anon"), ("dead_letter", "app")];

fn attach_code(fixture: &mut Fixture) {
    run(&mut fixture.client, "grant usage on schema net to anon, app, web; grant create on schema net to anon, app");
    for (table, owner) in OWNERS {
        run(&mut fixture.client, &format!("alter table net.{table} owner to {owner}; grant all on net.{table} to web"));
        let mut owner = fixture.cluster.connect_as(owner, "postgres");
        run(&mut owner, &ATTACHED.replace("{t}", table));
    }
    run(
        &mut fixture.client,
        "grant usage on sequence net.http_request_queue_id_seq to web; alter table net.http_request_queue disable row level security",
    );
}

/// A statement, the role whose own it is if it is a role's, and who ran what.
type Cell = (&'static str, &'static str, Ran);

/// What sessions do to the queue.
fn statements_of_sessions(fixture: &mut Fixture, web: &mut Client) -> Vec<Cell> {
    let url = fixture.receiver.url("/x");
    let call = Call::request("GET", &url).not_before("'tomorrow'");
    let insert = format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds, requested_by, due)
         values ('GET', '{url}', 2000, 'web'::regrole, 'tomorrow')"
    );
    let delete = "delete from net.http_request_queue";
    let cancel = "select bool_and(net.cancel(id)) from net.http_request_queue";
    let mut cells = vec![
        ("a call by a superuser", "", during(fixture, |fixture| _ = fixture.send(call.clone()))),
        ("a call by web", "", during(fixture, |_| _ = call.send(web))),
    ];
    run(&mut fixture.client, "update net.http_request_queue set requested_by = 'web'::regrole");
    cells.extend([
        ("cancel by web", "", during(fixture, |_| assert!(value::<bool>(web, cancel)))),
        ("an insert by web", "web", during(fixture, |_| run(web, &insert))),
        ("a delete by web", "web", during(fixture, |_| run(web, delete))),
        ("an insert by a superuser", "postgres", during(fixture, |fixture| run(&mut fixture.client, &insert))),
        ("a delete by a superuser", "postgres", during(fixture, |fixture| run(&mut fixture.client, delete))),
    ]);
    cells
}

/// What the worker does, and a retry, which moves a row.
fn statements_of_the_worker(fixture: &mut Fixture, web: &mut Client) -> Vec<Cell> {
    let failing = fixture.receiver.url("/status/503");
    let fails = |attempts| Call::request("GET", &failing).max_attempts(attempts);
    let count = |fixture: &mut Fixture, table: &str| fixture.value::<i64>(&format!("select count(*) from net.{table}"));
    let mut cells = vec![("the worker records", "", during(fixture, |fixture| _ = fixture.fetch(fails(1))))];
    fixture.cluster.alter_system("pg_net.retry_base", "10ms");
    cells.push(("the worker moves to the dead letter", "", during(fixture, |fixture| _ = fixture.fetch(fails(2)))));
    run(
        &mut fixture.client,
        "update net.dead_letter set requested_by = 'web'::regrole; update net._http_response set requested_by = 'web'::regrole",
    );
    let retry = during(fixture, |fixture| {
        assert!(value::<bool>(web, "select net.retry(id) from net.dead_letter"));
        wait_until("the second outcome", PATIENCE, || count(fixture, "dead_letter") == 1);
    });
    cells.push(("retry by web", "", retry));
    let expiry = during(fixture, |fixture| {
        fixture.cluster.alter_system("pg_net.ttl", "0 s");
        run(&mut fixture.client, "select net.wake()");
        wait_until("the responses to expire", PATIENCE, || count(fixture, "_http_response") == 0);
    });
    cells.push(("the worker expires", "", expiry));
    cells
}

#[test]
fn case_06_who_runs_what_as_whom() {
    let mut fixture = fixture();
    attach_code(&mut fixture);
    let owner_of = |table: &str| OWNERS.iter().find(|(name, _)| *name == table).unwrap().1;
    let mut web = fixture.cluster.connect_as("web", "postgres");
    let mut cells = statements_of_sessions(&mut fixture, &mut web);
    cells.extend(statements_of_the_worker(&mut fixture, &mut web));
    println!("{:36} {:20} {:12} as", "statement", "table", "code");
    let mut seen = BTreeSet::new();
    for (statement, runner, ran) in &cells {
        for ((table, kind), roles) in ran {
            println!("{statement:36} {table:20} {kind:12} {roles:?}");
            let is_part = PARTS.contains(&kind.as_str());
            // In a role's own statement, parts of it run as that role, as with every table.
            let expected = if is_part && !runner.is_empty() { runner } else { owner_of(table) };
            assert_eq!(roles.iter().collect::<Vec<_>>(), [expected], "{statement}: {kind} on {table}");
            seen.insert((table.as_str(), kind.as_str()));
        }
        assert!(!ran.is_empty(), "{statement}");
    }
    for (table, _) in OWNERS {
        for kind in PARTS.iter().chain(&TRIGGERS) {
            assert!(seen.contains(&(table, *kind)), "{kind} on {table} has run");
        }
    }
    assert!(!fixture.cluster.log().contains("failed"), "{}", fixture.cluster.log());
}
