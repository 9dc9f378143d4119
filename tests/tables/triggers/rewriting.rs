//! Triggers of the owner on the queue, that change, refuse or swallow what is called.

use testkit::Call;

use super::{fixture, run};
use crate::fixture::{error_of, value};

const QUEUE: &str = "net.http_request_queue";

fn before_insert(body: &str) -> String {
    format!(
        "create or replace function rewrites() returns trigger language plpgsql as $$ begin {body} end $$;
         drop trigger if exists mine on {QUEUE};
         create trigger mine before insert on {QUEUE} for each row execute function rewrites();"
    )
}

#[test]
fn case_13_a_trigger_before_the_insert_swallows_refuses_and_rewrites_what_is_called() {
    let mut fixture = fixture();
    let mut supa = fixture.cluster.connect_as("supa", "postgres");
    let mut web = fixture.cluster.connect_as("web", "postgres");
    let (here, there) = (fixture.receiver.url("/here"), fixture.receiver.url("/there"));
    let calls = [Call::get(&here).select(), Call::request("GET", &here).max_attempts(2).select()];
    run(&mut supa, &before_insert("return null;"));
    for call in &calls {
        assert_eq!(value::<Option<i64>>(&mut web, call), None, "{call}");
    }
    assert_eq!(value::<i64>(&mut supa, "select count(*) from net.http_request_queue"), 0);
    run(
        &mut supa,
        &before_insert("raise exception using errcode = 'PN001', message = 'not today', hint = 'come again';"),
    );
    for call in &calls {
        assert_eq!(error_of(&mut web, call), ("PN001".to_owned(), "not today".to_owned()));
    }
    run(&mut supa, &before_insert(&format!("new.url := '{there}'; new.id := new.id + 1000000; return new;")));
    for call in &calls {
        let id = value::<i64>(&mut web, call);
        assert!(id > 1_000_000, "what was stored: {id}");
        assert_eq!(fixture.response(id).status_code, Some(200));
    }
    let paths: Vec<_> = fixture.receiver.requests().iter().map(|request| request.path().to_owned()).collect();
    assert_eq!(paths, ["/there", "/there"]);
}

/// Whatever key is stored is the one that the worker is told of.
#[test]
fn case_13_a_trigger_that_changes_the_row_key_holds_up_nothing() {
    let mut fixture = fixture();
    let mut supa = fixture.cluster.connect_as("supa", "postgres");
    let mut web = fixture.cluster.connect_as("web", "postgres");
    let url = fixture.receiver.url("/x");
    for key in ["5", "new.row_key + 1000000", "null", "1"] {
        for name in ["a_trigger", "z_trigger"] {
            run(&mut supa, &before_insert(&format!("new.row_key := {key}; return new;")));
            run(&mut supa, &format!("alter trigger mine on {QUEUE} rename to {name}"));
            if key == "null" && name == "z_trigger" {
                assert_eq!(error_of(&mut web, &Call::get(&url).select()).0, "23502");
            } else {
                let id = Call::get(&url).send(&mut web);
                assert_eq!(fixture.response(id).status_code, Some(200), "{key} {name}");
            }
            run(&mut supa, &format!("drop trigger {name} on {QUEUE}"));
        }
    }
    assert_eq!(value::<i64>(&mut supa, "select count(*) from net.http_request_queue"), 0);
    fixture.assert_works();
}

/// With the owner's rights and search path, whatever the caller has set.
#[test]
fn case_04_a_trigger_on_the_queue_runs_as_the_owner_with_the_owners_search_path() {
    let mut fixture = fixture();
    run(
        &mut fixture.client,
        "create schema own; alter schema own owner to supa;
         create schema evil; alter schema evil owner to web;
         alter role supa in database postgres set search_path = own, public;",
    );
    let mut supa = fixture.cluster.connect_as("supa", "postgres");
    run(
        &mut supa,
        "create table notes (who text, path text, session text);
         create function note() returns trigger language plpgsql as $$
         begin
             insert into notes values (current_user, current_setting('search_path'), session_user);
             return null;
         end $$;
         create trigger note after insert on net.http_request_queue for each row execute function note()",
    );
    let mut web = fixture.cluster.connect_as("web", "postgres");
    run(
        &mut web,
        "create table evil.notes (a text); create temp table notes (a text); set search_path = evil, pg_temp",
    );
    let url = fixture.receiver.url("/x");
    Call::get(&url).send(&mut web);
    run(
        &mut fixture.client,
        &format!(
            "insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', '{url}', 2000)"
        ),
    );
    let notes = fixture.client.query("select who, path, session from own.notes", &[]).unwrap();
    let notes: Vec<(String, String, String)> = notes.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect();
    let of = |session: &str| ("supa".to_owned(), "own, public, pg_temp".to_owned(), session.to_owned());
    assert_eq!(notes, [of("web"), of("postgres")]);
    assert_eq!(value::<String>(&mut web, "select current_setting('search_path')"), "evil, pg_temp");
    // Where neither role nor database has one, it is the server's, not that of the connection's options.
    run(
        &mut fixture.client,
        "alter role supa in database postgres reset search_path; create table public.notes (like own.notes)",
    );
    for (path, expected) in [(None, "\"$user\", public, pg_temp"), (Some("own"), "own, pg_temp")] {
        if let Some(path) = path {
            fixture.cluster.alter_system("search_path", path);
        }
        let options = format!(
            "host=127.0.0.1 port={} user=web dbname=postgres options='-c search_path=evil'",
            fixture.cluster.port()
        );
        let mut web = postgres::Client::connect(&options, postgres::NoTls).unwrap();
        run(&mut fixture.client, "truncate own.notes, public.notes");
        Call::get(&url).send(&mut web);
        let noted = "select path from (table own.notes union all table public.notes) as n";
        assert_eq!(value::<String>(&mut fixture.client, noted), expected);
    }
}
