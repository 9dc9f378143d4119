//! Code that is attached to the tables already.

use testkit::Call;

use super::warnings_of_update;
use crate::fixture::Fixture;
use crate::update::old_version::{ALL, NEWEST, Version};
use crate::update::{create, fixture};

const SETUP: &str = "
    create table seen (who text, what text, id bigint);
    grant all on seen to public;
    create role mallory; grant create on schema public to mallory;
    create function log_it() returns trigger language plpgsql as $$
    begin
        insert into public.seen values (tg_name, tg_table_name, new.id);
        return new;
    end
    $$;
    create function answer() returns bigint language sql as 'select 1::bigint';
    set role mallory;
    create function log_too() returns trigger language plpgsql as $$
    begin
        insert into public.seen values (tg_name, tg_table_name, new.id);
        return new;
    end
    $$;
    create function bad_answer() returns bigint language sql as 'select 1::bigint';
    reset role";

const ATTACH: &str = "
    create trigger owners after insert on net._http_response for each row execute function log_it();
    create trigger owners_too before insert on net.http_request_queue for each row execute function log_it();
    create trigger always after insert on net._http_response for each row execute function log_it();
    alter table net._http_response enable always trigger always;
    create trigger off after insert on net._http_response for each row execute function log_it();
    alter table net._http_response disable trigger off;
    create trigger others after insert on net._http_response for each row execute function log_too();
    create trigger others_too before insert on net.http_request_queue for each row execute function log_too();
    create rule mine as on insert to net._http_response do also insert into seen values ('mine', 'rule', answer());
    create rule others as on insert to net._http_response do also insert into seen values ('others', 'rule', bad_answer());
    create rule plain as on delete to net._http_response do also insert into seen values ('plain', 'rule', old.id)";

fn states(fixture: &mut Fixture) -> String {
    fixture.value(
        "select string_agg(concat_ws(' ', kind, name, state), ', ' order by kind, name) from (
             select 'trigger', tgname::text, tgenabled from pg_trigger where tgfoid in ('log_it'::regproc, 'log_too'::regproc)
             union all
             select 'rule', rulename::text, ev_enabled from pg_rewrite where ev_class = 'net._http_response'::regclass
         ) s (kind, name, state)",
    )
}

#[test]
fn case_05_what_the_owner_or_a_superuser_wrote_stays_on() {
    let mut fixture = fixture();
    fixture.client.batch_execute(SETUP).unwrap();
    for version in [ALL[0], Version(0, 12, 0), NEWEST] {
        create(&mut fixture.client, version);
        fixture.client.batch_execute(ATTACH).unwrap();
        let before = states(&mut fixture);
        assert_eq!(
            before,
            "rule mine O, rule others O, rule plain O, trigger always A, trigger off D, trigger others O, trigger others_too O, \
             trigger owners O, trigger owners_too O"
        );
        assert_eq!(
            warnings_of_update(&fixture),
            [
                "trigger others_too on net.http_request_queue is disabled: it runs public.log_too()",
                "rule others on net._http_response is disabled: it runs public.bad_answer()",
                "trigger others on net._http_response is disabled: it runs public.log_too()",
            ],
            "{version}"
        );
        assert_eq!(
            states(&mut fixture),
            before.replace("others O", "others D").replace("others_too O", "others_too D"),
            "{version}"
        );
        fixture.client.batch_execute("truncate seen").unwrap();
        let url = fixture.receiver.url("/logged");
        assert_eq!(fixture.fetch(Call::get(&url)).status_code, Some(200), "{version}");
        let seen =
            "select coalesce(string_agg(distinct who || ' ' || what, ', '), '') from seen where who like 'owners%'";
        assert_eq!(fixture.value::<String>(seen), "owners _http_response, owners_too http_request_queue", "{version}");
        assert_eq!(fixture.value::<i64>("select count(*) from seen where who like 'others%'"), 0, "{version}");
        fixture.client.batch_execute("drop extension pg_net cascade").unwrap();
    }
}

/// The owner's own, where that is no superuser (any more); and a superuser's on its tables.
#[test]
fn case_05_the_owner_need_not_be_a_superuser() {
    let mut fixture = fixture();
    fixture.client.batch_execute(SETUP).unwrap();
    fixture.client.batch_execute("create role boss superuser login").unwrap();
    let mut boss = fixture.cluster.connect_as("boss", "postgres");
    create(&mut boss, NEWEST);
    fixture.client.batch_execute(ATTACH).unwrap();
    boss.batch_execute(
        "create function boss() returns trigger language plpgsql as 'begin return new; end';
         create trigger boss after insert on net._http_response for each row execute function boss()",
    )
    .unwrap();
    drop(boss);
    fixture.client.batch_execute("alter role boss nosuperuser").unwrap();
    let warnings = warnings_of_update(&fixture);
    assert_eq!(warnings.len(), 3, "{warnings:?}");
    assert!(warnings.iter().all(|warning| warning.contains(" others")), "{warnings:?}");
    let enabled = "select tgenabled::text from pg_trigger where tgname = 'boss'";
    assert_eq!(fixture.value::<String>(enabled), "O");
}
