//! What an administrator had closed under the C version.

use postgres::Client;

use super::{state_of, warnings_of_update};
use crate::fixture::Fixture;
use crate::update::old_version::{NEWEST, Version};
use crate::update::{create, fixture};

/// What each role may: `web` is anybody, `app` is whom the administrator let in.
struct Closed {
    how: &'static str,
    /// Whether `web` and `app` may send under the C version, and so after the update.
    sends: [bool; 2],
}

const WAYS: [Closed; 12] = [
    Closed { how: "", sends: [true, true] },
    Closed { how: "revoke usage on schema net from public; grant usage on schema net to app", sends: [false, true] },
    Closed { how: "revoke execute on all functions in schema net from public", sends: [false, false] },
    Closed {
        how: "revoke execute on all functions in schema net from public; grant execute on all functions in schema net to app",
        sends: [false, true],
    },
    Closed { how: "revoke all on net.http_request_queue from public", sends: [false, false] },
    Closed {
        how: "revoke all on net.http_request_queue from public; grant insert, select on net.http_request_queue to app",
        sends: [false, true],
    },
    Closed {
        how: "create role senders; grant senders to app; revoke insert on net.http_request_queue from public;
              grant insert on net.http_request_queue to senders",
        sends: [false, true],
    },
    Closed {
        // The right to the function alone was not enough.
        how: "revoke insert on net.http_request_queue from public;
              grant execute on function net.http_get(text, jsonb, jsonb, integer),
                  net.http_post(text, jsonb, jsonb, jsonb, integer) to app",
        sends: [false, false],
    },
    Closed { how: "revoke all on sequence net.http_request_queue_id_seq from public", sends: [false, false] },
    Closed { how: "alter table net.http_request_queue enable row level security", sends: [false, false] },
    Closed {
        how: "alter table net.http_request_queue enable row level security;
              create policy senders on net.http_request_queue to app using (true)",
        sends: [false, true],
    },
    Closed {
        // As platforms do: a role that may execute it needs no more.
        how: "alter function net.http_get(text, jsonb, jsonb, integer) security definer;
              alter function net.http_post(text, jsonb, jsonb, jsonb, integer) security definer;
              revoke insert, update, delete, truncate on net.http_request_queue, net._http_response from public",
        sends: [true, true],
    },
];

const OLD_CALLS: [&str; 2] =
    ["select net.http_get('http://127.0.0.1:1/')", "select net.http_post('http://127.0.0.1:1/')"];
const NEW_CALLS: [&str; 8] = [
    "select net.http_put('http://127.0.0.1:1/')",
    "select net.http_patch('http://127.0.0.1:1/')",
    "select net.http_head('http://127.0.0.1:1/')",
    "select net.http_request('PUT', 'http://127.0.0.1:1/')",
    "select net.http_request('PUT', 'http://127.0.0.1:1/', '{}'::jsonb)",
    "select net.cancel(1)",
    "select net.retry(1)",
    "select net.await_responses('{}', '0')",
];

fn roles(fixture: &mut Fixture) -> [Client; 2] {
    fixture.client.batch_execute("drop role if exists web, app; create role web login; create role app login").unwrap();
    ["web", "app"].map(|role| fixture.cluster.connect_as(role, "postgres"))
}

fn assert_sends(clients: &mut [Client; 2], calls: &[&str], sends: [bool; 2], when: &str) {
    for (index, role) in ["web", "app"].into_iter().enumerate() {
        for call in calls {
            let state = state_of(&mut clients[index], call);
            let expected = (!sends[index]).then(|| "42501".to_owned());
            assert_eq!(state, expected, "{role}, {when}: {call}");
        }
    }
}

#[test]
fn case_06a_who_could_not_send_cannot_send_and_who_could_can() {
    let mut fixture = fixture();
    for version in [Version(0, 12, 0), NEWEST] {
        for way in &WAYS {
            create(&mut fixture.client, version);
            let mut clients = roles(&mut fixture);
            fixture.client.batch_execute(way.how).unwrap_or_else(|error| panic!("{}: {error:?}", way.how));
            assert_sends(&mut clients, &OLD_CALLS, way.sends, &format!("{version} before, {}", way.how));
            drop(clients);
            let mut clients = ["web", "app"].map(|role| fixture.cluster.connect_as(role, "postgres"));
            let warnings = warnings_of_update(&fixture);
            assert_eq!(warnings.len(), usize::from(way.how.contains("create policy")), "{}: {warnings:?}", way.how);
            assert_sends(&mut clients, &OLD_CALLS, way.sends, &format!("{version}, {}", way.how));
            assert_sends(&mut clients, &NEW_CALLS, way.sends, &format!("{version}, {}", way.how));
            if !way.how.contains("schema net from") {
                assert_sends(&mut clients, &["select net.version()"], [true, true], way.how);
            }
            drop(clients);
            fixture
                .client
                .batch_execute(
                    "drop extension pg_net; drop owned by app, web; drop role app, web; drop role if exists senders",
                )
                .unwrap();
        }
    }
    create(&mut fixture.client, NEWEST);
    warnings_of_update(&fixture);
    fixture.assert_works();
}

/// Reading is closed apart from sending.
#[test]
fn case_06a_what_could_not_be_read_cannot_be_read() {
    let mut fixture = fixture();
    for (how, queue, responses) in [
        ("", true, true),
        ("revoke all on net.http_request_queue from public", false, true),
        ("revoke select on net._http_response from public", true, false),
        (
            "revoke all on all tables in schema net from public; grant select on net.http_request_queue to app",
            false,
            false,
        ),
    ] {
        create(&mut fixture.client, NEWEST);
        let mut clients = roles(&mut fixture);
        fixture.client.batch_execute(how).unwrap();
        warnings_of_update(&fixture);
        let open = how.contains("to app");
        for (table, may) in
            [("net.http_request_queue", queue), ("net._http_response", responses), ("net.dead_letter", queue)]
        {
            let read = format!("select from {table}");
            let is_app_open = open && table != "net._http_response";
            assert_eq!(state_of(&mut clients[0], &read).is_none(), may, "web reads {table}: {how}");
            assert_eq!(state_of(&mut clients[1], &read).is_none(), may || is_app_open, "app reads {table}: {how}");
        }
        drop(clients);
        fixture.client.batch_execute("drop extension pg_net; drop owned by app, web").unwrap();
    }
}

/// Policies and guards look at who inserts, and that is the owner now.
#[test]
fn case_06a_policies_and_guards_are_named_with_what_replaces_them() {
    let mut fixture = fixture();
    create(&mut fixture.client, NEWEST);
    let mut clients = roles(&mut fixture);
    fixture
        .client
        .batch_execute(
            "create function guard() returns trigger language plpgsql as $$
             begin
                 if current_user <> 'app' then
                     raise insufficient_privilege;
                 end if;
                 return new;
             end
             $$;
             create function count_it() returns trigger language plpgsql as 'begin return new; end';
             create trigger guard before insert on net.http_request_queue for each row execute function guard();
             create trigger when_web before insert on net.http_request_queue for each row when (current_user = 'web')
                 execute function count_it();
             create trigger harmless before insert on net.http_request_queue for each row execute function count_it();
             alter table net.http_request_queue enable row level security;
             create policy senders on net.http_request_queue using (true) with check (current_user = 'app');
             alter table net._http_response enable row level security;
             create policy readers on net._http_response to app using (true)",
        )
        .unwrap();
    assert_sends(&mut clients, &OLD_CALLS[1..], [false, true], "before");
    drop(clients);
    let warnings = warnings_of_update(&fixture);
    let no_longer = |what: &str| {
        format!(
            "{what} on net.http_request_queue no longer learns who calls: requests are inserted with the rights of the table's owner"
        )
    };
    assert_eq!(
        warnings,
        [
            no_longer("trigger guard"),
            no_longer("trigger when_web"),
            "policy senders on net.http_request_queue no longer holds back requests: they are inserted with the rights of the \
             table's owner"
                .into(),
            "policy readers on net._http_response stays, beside the rule that roles see their own responses".into(),
        ]
    );
}
