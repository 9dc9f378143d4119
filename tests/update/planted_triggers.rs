//! Under the C version every role could attach code to the tables: the update switches it off, and says what it found.

use testkit::Call;

use super::old_version::{NEWEST, Version};
use super::{create, fixture, listening, update};
use crate::fixture::Fixture;

/// Whose rights a planted trigger ran with, and for which request.
const SEEN: &str = "select coalesce(string_agg(relation || ' ' || id, ', ' order by id), '') from seen";

/// What each update tells.
const NEW_RULES: &str = "pg_net: roles now reach their own requests and responses only";

/// Triggers on both tables by a role that has no rights of its own, and one that is off already.
fn plant(fixture: &mut Fixture) {
    fixture
        .client
        .batch_execute(
            "create role mallory;
             create table seen (relation text, id bigint);
             grant all on seen to public;
             grant create on schema public to mallory;
             set role mallory;
             create function spy() returns trigger language plpgsql as $$
             begin
                 insert into public.seen values (tg_relid::regclass, new.id);
                 return new;
             end
             $$;
             create trigger planted after insert on net._http_response for each row execute function spy();
             create trigger \"Second\" after insert on net._http_response for each row execute function spy();
             create trigger planted before insert on net.http_request_queue for each row execute function spy();
             reset role;
             create trigger off before insert on net.http_request_queue for each row execute function spy();
             alter table net.http_request_queue disable trigger off",
        )
        .unwrap();
}

fn states(fixture: &mut Fixture) -> String {
    fixture.value(
        "select string_agg(tgrelid::regclass || ' ' || tgname || ' ' || tgenabled::text, ', ' order by tgrelid, tgname)
           from pg_trigger where tgfoid = 'spy'::regproc",
    )
}

#[test]
fn planted_triggers_are_disabled_and_listed_by_the_update() {
    for version in [Version(0, 12, 0), NEWEST] {
        let mut fixture = fixture();
        create(&mut fixture.client, version);
        plant(&mut fixture);
        let url = fixture.receiver.url("/waits");
        let waiting = fixture.send(Call::get(&url));
        assert_eq!(fixture.value::<String>(SEEN), "net.http_request_queue 1", "the trigger works under {version}");

        let (mut client, heard) = listening(&fixture.cluster);
        update(&mut client);
        let heard = heard.lock().unwrap();
        let warnings: Vec<_> = heard.iter().filter(|notice| notice.severity() == "WARNING").collect();
        let messages: Vec<_> = warnings.iter().map(|warning| warning.message()).collect();
        let expected = [
            "trigger planted on net.http_request_queue is disabled: it runs public.spy()",
            "trigger Second on net._http_response is disabled: it runs public.spy()",
            "trigger planted on net._http_response is disabled: it runs public.spy()",
            NEW_RULES,
        ];
        assert_eq!(messages, expected, "{version}");
        assert_eq!(
            states(&mut fixture),
            "net.http_request_queue off D, net.http_request_queue planted D, \
             net._http_response Second D, net._http_response planted D"
        );

        assert_eq!(fixture.response(waiting).status_code, Some(200));
        fixture.assert_works();
        assert_eq!(fixture.value::<String>(SEEN), "net.http_request_queue 1", "nothing planted runs");

        // The hint has the statement that brings it back, once its function is no stranger's.
        fixture.client.batch_execute("alter function spy() owner to postgres").unwrap();
        let hint = warnings[1].hint().unwrap();
        let enable = hint.split_once(": ").unwrap().1;
        fixture.client.batch_execute(enable).unwrap_or_else(|error| panic!("{hint}: {error}"));
        let id = fixture.send(Call::get(&url));
        assert_eq!(fixture.response(id).status_code, Some(200));
        assert_eq!(
            fixture.value::<String>(SEEN),
            format!("net.http_request_queue 1, net._http_response {id}"),
            "{version}: {hint}"
        );
        fixture.receiver.wait_for(3);
    }
}

#[test]
fn the_update_lists_no_planted_triggers_where_there_are_none() {
    let mut fixture = fixture();
    create(&mut fixture.client, NEWEST);
    let (mut client, heard) = listening(&fixture.cluster);
    update(&mut client);
    let heard = heard.lock().unwrap();
    let messages: Vec<_> = heard.iter().map(|notice| (notice.severity(), notice.message())).collect();
    assert_eq!(messages, [("WARNING", NEW_RULES)]);
    fixture.assert_works();
}
