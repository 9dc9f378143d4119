//! Event triggers: a log of DDL, and what must not be done.

use testkit::Call;

use super::warnings_of_update;
use crate::fixture::Fixture;
use crate::update::old_version::{ALL, NEWEST, Version};
use crate::update::{create, fixture};

const DDL_LOG: &str = "
    create table ddl_log (tag text, what text);
    create function log_ddl() returns event_trigger language plpgsql as $$
    declare
        command record;
    begin
        for command in select * from pg_event_trigger_ddl_commands() loop
            insert into public.ddl_log values (command.command_tag, command.object_identity);
        end loop;
    end
    $$;
    create function log_drops() returns event_trigger language plpgsql as $$
    declare
        gone record;
    begin
        for gone in select * from pg_event_trigger_dropped_objects() loop
            insert into public.ddl_log values (tg_tag, gone.object_identity);
        end loop;
    end
    $$;
    create event trigger log_ddl on ddl_command_end execute function log_ddl();
    create event trigger log_drops on sql_drop execute function log_drops()";

/// Three that wait, and a trigger of the owner's that would notice an UPDATE, and keep it from happening.
fn fill(fixture: &mut Fixture) -> Vec<i64> {
    fixture
        .client
        .batch_execute(
            "create table if not exists noticed (what text);
             create or replace function notice() returns trigger language plpgsql as $$
             begin
                 insert into public.noticed values (tg_op);
                 return null;
             end
             $$;
             create trigger notice before update on net.http_request_queue for each row execute function notice();
             alter table net.http_request_queue enable always trigger notice",
        )
        .unwrap();
    let url = fixture.receiver.url("/waits");
    (0..3).map(|_| fixture.send(Call::get(&url))).collect()
}

fn assert_sent(fixture: &mut Fixture, waiting: &[i64], version: Version) {
    assert_eq!(fixture.value::<i64>("select count(*) from noticed"), 0, "{version}: no trigger ran");
    assert_eq!(
        fixture.value::<String>("select tgenabled::text from pg_trigger where tgname = 'notice'"),
        "A",
        "{version}"
    );
    fixture.client.batch_execute("drop trigger notice on net.http_request_queue; select net.wake()").unwrap();
    for &id in waiting {
        assert_eq!(fixture.response(id).status_code, Some(200), "{version}");
    }
    fixture.assert_works();
}

#[test]
fn case_10_a_log_of_ddl_and_of_drops_has_the_update_in_it() {
    let mut fixture = fixture();
    for version in [ALL[0], Version(0, 4, 0), Version(0, 14, 0), NEWEST] {
        create(&mut fixture.client, version);
        let waiting = fill(&mut fixture);
        fixture.client.batch_execute(DDL_LOG).unwrap();
        assert_eq!(warnings_of_update(&fixture), Vec::<String>::new(), "{version}");
        let logged = "select string_agg(distinct tag, ', ' order by tag) from ddl_log where what ~ 'net[.]|pg_net'";
        let logged = fixture.value::<String>(logged);
        for tag in ["ALTER EXTENSION", "ALTER TABLE", "CREATE FUNCTION", "CREATE TABLE"] {
            assert!(logged.contains(tag), "{version}: {tag} in {logged}");
        }
        fixture
            .client
            .batch_execute("drop event trigger log_ddl; drop event trigger log_drops; drop table ddl_log")
            .unwrap();
        assert_sent(&mut fixture, &waiting, version);
        fixture.client.batch_execute("drop function log_ddl, log_drops").unwrap();
    }
}

/// Where tables must not be rewritten, none is. What cannot be had without is left out, and said.
#[test]
fn case_10_no_table_is_rewritten_where_that_is_forbidden() {
    let mut fixture = fixture();
    for version in [ALL[0], Version(0, 4, 0), Version(0, 5, 0), NEWEST] {
        create(&mut fixture.client, version);
        let waiting = fill(&mut fixture);
        fixture
            .client
            .batch_execute(
                "create function forbid() returns event_trigger language plpgsql as $$
                 begin
                     raise exception 'no rewrite of % here', pg_event_trigger_table_rewrite_oid()::regclass;
                 end
                 $$;
                 create event trigger forbid on table_rewrite execute function forbid()",
            )
            .unwrap();
        let persistence = "select string_agg(relpersistence::text, '' order by relname desc) from pg_class
                            where relnamespace = 'net'::regnamespace and relname in ('http_request_queue', '_http_response')";
        let before = fixture.value::<String>(persistence);
        let warnings = warnings_of_update(&fixture);
        if version.is_logged() {
            assert_eq!(warnings, Vec::<String>::new(), "{version}");
        } else {
            assert_eq!(
                warnings,
                ["net.http_request_queue stays unlogged: no rewrite of net.http_request_queue here"],
                "{version}"
            );
        }
        assert_eq!(fixture.value::<String>(persistence), before, "{version}");
        fixture.client.batch_execute("drop event trigger forbid; drop function forbid").unwrap();
        fixture.client.batch_execute("select net.set_queue_logged(true)").unwrap();
        assert_sent(&mut fixture, &waiting, version);
    }
}
