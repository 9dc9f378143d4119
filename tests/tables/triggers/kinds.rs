//! A trigger is run as it is declared: with its name, arguments and transition tables, for the columns that it is about.

use super::{fixture, run};
use crate::fixture::value;

#[test]
fn case_04_triggers_get_all_that_they_are_declared_with() {
    let mut fixture = fixture();
    let mut supa = fixture.cluster.connect_as("supa", "postgres");
    run(
        &mut supa,
        "create table public.told (what text);
         create function tells() returns trigger language plpgsql as $$
         begin
             insert into public.told values (concat_ws(' ', tg_name, tg_when, tg_level, tg_op, tg_table_schema, tg_nargs, tg_argv[0], tg_argv[1],
                 pg_trigger_depth()));
             return coalesce(new, old);
         end $$;
         create function counts() returns trigger language plpgsql as $$
         begin
             insert into public.told select tg_name || ' ' || count(*) from fresh;
             return null;
         end $$;
         create trigger args before insert on net._http_response for each row execute function tells('one', 'two');
         create trigger of_content after update of content on net._http_response for each row execute function tells();
         create trigger deferred after delete on net._http_response for each row when (old.id = 2) execute function tells();
         create constraint trigger put_off after insert on net._http_response deferrable initially deferred
             for each row execute function tells();
         create trigger same before update on net._http_response for each row execute function suppress_redundant_updates_trigger();
         create trigger tables after insert on net._http_response referencing new table as fresh
             for each statement execute function counts()",
    );
    let mut told = |statement: &str| {
        run(&mut fixture.client, statement);
        let told = value::<Option<String>>(&mut fixture.client, "select string_agg(what, ', ') from public.told");
        run(&mut fixture.client, "truncate public.told");
        told.unwrap_or_default()
    };
    let inserted = "args BEFORE ROW INSERT net 2 one two 1";
    assert_eq!(
        told("insert into net._http_response (id, content) values (1, 'a'), (2, 'b')"),
        format!("{inserted}, {inserted}, put_off AFTER ROW INSERT net 0 1, put_off AFTER ROW INSERT net 0 1, tables 2")
    );
    assert_eq!(told("update net._http_response set status_code = 200"), "");
    assert_eq!(told("update net._http_response set content = 'c' where id = 1"), "of_content AFTER ROW UPDATE net 0 1");
    assert_eq!(told("update net._http_response set content = 'c' where id = 1"), "", "the same, and so no update");
    assert_eq!(told("delete from net._http_response"), "deferred AFTER ROW DELETE net 0 1");
}

/// What fires in the statement that sets a foreign key off must not run as the role of that statement.
#[test]
fn case_06_what_a_foreign_key_sets_off_runs_as_nobody_else() {
    let mut fixture = fixture();
    run(
        &mut fixture.client,
        "create table public.orders (id bigint primary key); grant references on public.orders to anon;
         insert into public.orders values (1); alter table net._http_response owner to anon; grant usage on schema net to anon",
    );
    let mut anon = fixture.cluster.connect_as("anon", "postgres");
    run(
        &mut anon,
        "create function says() returns trigger language plpgsql as $$ begin raise log 'planted: % as %', tg_name, current_user; return old; end $$;
         alter table net._http_response add foreign key (id) references public.orders on delete cascade;
         create trigger early before delete on net._http_response for each row execute function says();
         create trigger late after delete on net._http_response for each row execute function says();
         insert into net._http_response (id) values (1)",
    );
    run(&mut fixture.client, "delete from public.orders");
    assert_eq!(value::<i64>(&mut fixture.client, "select count(*) from net._http_response"), 0);
    let log = fixture.cluster.log();
    assert!(log.contains("planted: early as anon") && !log.contains("planted: late"), "{log}");
    assert!(
        log.contains(
            "trigger \"late\" on table \"net._http_response\" is passed by where a foreign key changes the table"
        ),
        "{log}"
    );
}
