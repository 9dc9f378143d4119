//! Who may delete rows of a table may lock it, by Postgres' rules; and everybody may delete their own rows.

use super::{platform, web_and_anon};
use crate::fixture::{assert_works, error_of};

const TABLES: [&str; 3] = ["net.http_request_queue", "net._http_response", "net.dead_letter"];
const STRONG: [&str; 5] = ["share update exclusive", "share", "share row exclusive", "exclusive", "access exclusive"];

#[test]
fn case_17d_a_role_takes_no_lock_that_stops_others() {
    let mut fixture = platform();
    fixture.client.batch_execute("create schema webs authorization web; grant create on schema public to web").unwrap();
    let [mut web, _] = web_and_anon(&fixture);
    for (number, table) in TABLES.iter().enumerate() {
        // By the table, by a view of its own, by a view of that view, within a subquery, and by a list with others.
        web.batch_execute(&format!(
            "create view webs.view_{number} as select * from {table};
             create view webs.outer_{number} as select v.id from webs.view_{number} v;
             create view webs.deep_{number} as
                 select 1 as one where exists (with c as (select id from {table}) select from c);
             create table webs.other_{number} ()"
        ))
        .unwrap();
        for mode in STRONG {
            for locked in [
                (*table).to_owned(),
                format!("only {table}"),
                format!("webs.view_{number}"),
                format!("webs.outer_{number}"),
                format!("webs.deep_{number}"),
                format!("webs.other_{number}, {table}"),
            ] {
                for how in ["", " nowait"] {
                    let lock = format!("begin; lock table {locked} in {mode} mode{how}");
                    let (state, message) = error_of(&mut web, &lock);
                    assert_eq!(state, "42501", "{lock}: {message}");
                    assert!(message.contains("permission denied to lock table net."), "{lock}: {message}");
                    web.batch_execute("rollback").unwrap();
                }
            }
        }
        for mode in ["access share", "row share", "row exclusive"] {
            web.batch_execute(&format!("begin; lock table {table}, webs.view_{number} in {mode} mode; rollback"))
                .unwrap();
        }
        web.batch_execute(&format!("begin; lock table webs.other_{number} in access exclusive mode; rollback"))
            .unwrap();
    }
    // From within a function, too, and by a search path.
    let within = "do $$ begin lock table net._http_response in access exclusive mode; end $$";
    assert_eq!(error_of(&mut web, within).0, "42501");
    web.batch_execute("set search_path = net").unwrap();
    assert_eq!(error_of(&mut web, "begin; lock table _http_response").0, "42501");
    web.batch_execute("rollback").unwrap();
    // Another's view, which the role may delete from, leads there no more than its own.
    fixture
        .client
        .batch_execute(
            "create view public.answers as select * from net._http_response; grant all on public.answers to web",
        )
        .unwrap();
    assert_eq!(error_of(&mut web, "begin; lock table public.answers").0, "42501");
    web.batch_execute("rollback").unwrap();
    assert_works(&mut web, &fixture.receiver);
}

#[test]
fn case_17d_the_owner_and_opened_roles_lock_as_ever() {
    let mut fixture = platform();
    let mut app = fixture.cluster.connect_as("app", "postgres");
    let lock = "begin; lock table net.http_request_queue, net._http_response in access exclusive mode; rollback";
    fixture.client.batch_execute(lock).unwrap();
    assert_eq!(error_of(&mut app, lock).0, "42501");
    app.batch_execute("rollback").unwrap();
    fixture.client.batch_execute("select net.restore_open_access('app')").unwrap();
    app.batch_execute(lock).unwrap();
}

/// A snapshot is still taken after the lock, as LOCK promises under REPEATABLE READ.
#[test]
fn case_17d_a_lock_takes_no_snapshot() {
    let mut fixture = platform();
    let mut other = fixture.cluster.connect();
    fixture
        .client
        .batch_execute("create table counted (n int); create view counting as select * from counted")
        .unwrap();
    let mut transaction =
        fixture.client.build_transaction().isolation_level(postgres::IsolationLevel::RepeatableRead).start().unwrap();
    transaction.batch_execute("lock table counting in share mode; rollback; begin isolation level repeatable read; lock table counting in row exclusive mode; lock table net._http_response, counting in share update exclusive mode").unwrap();
    other.batch_execute("insert into counted values (1)").unwrap();
    let seen: i64 = transaction.query_one("select count(*) from counted", &[]).unwrap().get(0);
    assert_eq!(seen, 1);
}
