//! Whose code runs as whom, in each kind of statement: `make test TEST=who_runs_what_as_whom` prints it.

use std::collections::{BTreeMap, BTreeSet};

use testkit::{PATIENCE, wait_until};

use super::{fixture, run};
use crate::fixture::{Fixture, ask, value};

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

#[test]
fn case_06_who_runs_what_as_whom() {
    let mut fixture = fixture();
    let owners = [("http_request_queue", "app"), ("_http_response", "anon"), ("dead_letter", "app")];
    run(&mut fixture.client, "grant usage on schema net to anon, app, web; grant create on schema net to anon, app");
    for (table, owner) in owners {
        run(&mut fixture.client, &format!("alter table net.{table} owner to {owner}; grant all on net.{table} to web"));
        let mut owner = fixture.cluster.connect_as(owner, "postgres");
        run(&mut owner, &ATTACHED.replace("{t}", table));
    }
    run(
        &mut fixture.client,
        "grant usage on sequence net.http_request_queue_id_seq to web; alter table net.http_request_queue disable row level security",
    );
    let owner_of = |table: &str| owners.iter().find(|(name, _)| *name == table).unwrap().1;
    let mut web = fixture.cluster.connect_as("web", "postgres");
    let (url, failing) = (fixture.receiver.url("/x"), fixture.receiver.url("/status/503"));
    let call = format!("select net.http_request('GET', '{url}', not_before := 'tomorrow')");
    let insert = format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds, requested_by, due)
         values ('GET', '{url}', 2000, 'web'::regrole, 'tomorrow')"
    );
    let delete = "delete from net.http_request_queue";
    let mut cells: Vec<(&str, &str, Ran)> = Vec::new();
    cells.push(("a call by a superuser", "", during(&mut fixture, |fixture| _ = fixture.ask(&call))));
    cells.push(("a call by web", "", during(&mut fixture, |_| _ = ask(&mut web, &call))));
    let cancel = "select bool_and(net.cancel(id)) from net.http_request_queue";
    run(&mut fixture.client, "update net.http_request_queue set requested_by = 'web'::regrole");
    cells.push(("cancel by web", "", during(&mut fixture, |_| assert!(value::<bool>(&mut web, cancel)))));
    cells.push(("an insert by web", "web", during(&mut fixture, |_| run(&mut web, &insert))));
    cells.push(("a delete by web", "web", during(&mut fixture, |_| run(&mut web, delete))));
    cells.push((
        "an insert by a superuser",
        "postgres",
        during(&mut fixture, |fixture| run(&mut fixture.client, &insert)),
    ));
    cells.push((
        "a delete by a superuser",
        "postgres",
        during(&mut fixture, |fixture| run(&mut fixture.client, delete)),
    ));
    cells.push((
        "the worker records",
        "",
        during(&mut fixture, |fixture| {
            let id = fixture.ask(&format!("select net.http_request('GET', '{failing}', max_attempts := 1)"));
            fixture.response(id);
        }),
    ));
    fixture.cluster.alter_system("pg_net.retry_base", "10ms");
    cells.push((
        "the worker buries",
        "",
        during(&mut fixture, |fixture| {
            let id = fixture.ask(&format!("select net.http_request('GET', '{failing}', max_attempts := 2)"));
            fixture.response(id);
        }),
    ));
    run(
        &mut fixture.client,
        "update net.dead_letter set requested_by = 'web'::regrole; update net._http_response set requested_by = 'web'::regrole",
    );
    cells.push((
        "retry by web",
        "",
        during(&mut fixture, |fixture| {
            assert!(value::<bool>(&mut web, "select net.retry(id) from net.dead_letter"));
            wait_until("the second outcome", PATIENCE, || {
                fixture.value::<i64>("select count(*) from net.dead_letter") == 1
            });
        }),
    ));
    cells.push((
        "the worker expires",
        "",
        during(&mut fixture, |fixture| {
            fixture.cluster.alter_system("pg_net.ttl", "0 s");
            run(&mut fixture.client, "select net.wake()");
            wait_until("the responses to expire", PATIENCE, || {
                fixture.value::<i64>("select count(*) from net._http_response") == 0
            });
        }),
    ));
    println!("{:26} {:20} {:12} as", "statement", "table", "code");
    let mut seen = BTreeSet::new();
    for (statement, runner, ran) in &cells {
        for ((table, kind), roles) in ran {
            println!("{statement:26} {table:20} {kind:12} {roles:?}");
            let is_part = PARTS.contains(&kind.as_str());
            // In a statement of somebody's own, parts of it run as that role, as with every table.
            let expected = if is_part && !runner.is_empty() { runner } else { owner_of(table) };
            assert_eq!(roles.iter().collect::<Vec<_>>(), [expected], "{statement}: {kind} on {table}");
            seen.insert((table.as_str(), kind.as_str()));
        }
        assert!(!ran.is_empty(), "{statement}");
    }
    for (table, _) in owners {
        for kind in PARTS.iter().chain(&TRIGGERS) {
            assert!(seen.contains(&(table, *kind)), "{kind} on {table} has run");
        }
    }
    assert!(!fixture.cluster.log().contains("failed"), "{}", fixture.cluster.log());
}
