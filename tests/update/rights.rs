//! Since 0.12 all roles could read and write both tables. After the update only the owner writes the rows of others, and a role
//! sees its own requests.

use testkit::Call;

use super::old_version::{NEWEST, Version};
use super::{create, fixture, update};
use crate::fixture::{assert_works, error_of, value};

const TAMPERING: [&str; 7] = [
    "insert into net.http_request_queue (method, url, headers, timeout_milliseconds)
     values ('GET', 'http://127.0.0.1:1/', '{}', 1000)",
    "update net.http_request_queue set url = 'http://127.0.0.1:1/'",
    "update net._http_response set id = 1",
    "insert into net._http_response (id) values (99)",
    "lock table net._http_response in access exclusive mode",
    "truncate net.http_request_queue, net._http_response",
    "select nextval('net.http_request_queue_id_seq')",
];

#[test]
fn the_update_revokes_the_rights_of_public_on_the_tables() {
    for version in [Version(0, 12, 0), NEWEST] {
        let mut fixture = fixture();
        fixture.client.batch_execute("create role alice login; create role bob login").unwrap();
        create(&mut fixture.client, version);
        let (mut alice, mut bob) =
            (fixture.cluster.connect_as("alice", "postgres"), fixture.cluster.connect_as("bob", "postgres"));
        for tampering in TAMPERING {
            alice
                .batch_execute(&format!("begin; {tampering}; rollback"))
                .unwrap_or_else(|error| panic!("{version} lets everybody {tampering}: {error}"));
        }
        let url = fixture.receiver.url("/asked");
        let waiting = Call::get(&format!("{url}?by=alice-before")).send(&mut alice);
        fixture.client.batch_execute("insert into net._http_response (id, content) values (1000, 'secret')").unwrap();

        update(&mut fixture.client);
        for tampering in TAMPERING {
            assert_eq!(error_of(&mut alice, tampering).0, "42501", "{version}: {tampering}");
        }
        let by_alice = Call::get(&format!("{url}?by=alice")).send(&mut alice);
        let by_bob = Call::get(&format!("{url}?by=bob")).send(&mut bob);
        for id in [waiting, by_alice, by_bob] {
            assert_eq!(fixture.response(id).status_code, Some(200), "{version}");
        }
        let targets: Vec<_> = fixture.receiver.requests().iter().map(|request| request.target.clone()).collect();
        assert_eq!(targets.len(), 3, "{targets:?}");

        // Which role made a request before the update is not known: all see it as before, and it is no role's own.
        let visible = "select array_agg(id order by id) from net._http_response";
        assert_eq!(value::<Vec<i64>>(&mut alice, visible), [waiting, by_alice, 1000], "{version}");
        assert_eq!(value::<Vec<i64>>(&mut bob, visible), [waiting, by_bob, 1000], "{version}");
        let removed = "with gone as (delete from net._http_response returning id) select array_agg(id) from gone";
        assert_eq!(value::<Vec<i64>>(&mut bob, removed), [by_bob], "{version}");
        assert_eq!(fixture.value::<Vec<i64>>(visible), [waiting, by_alice, 1000], "{version}");
    }
}

/// Before 0.12 the role `postgres` had every right, also where another role owned the tables.
#[test]
fn the_update_revokes_the_rights_of_postgres_where_another_role_owns_the_tables() {
    const RIGHTS: [&str; 3] = [
        "truncate net.http_request_queue, net._http_response",
        "create trigger planted after insert on net._http_response
             for each row execute function suppress_redundant_updates_trigger()",
        "create table net.planted ()",
    ];
    let mut fixture = fixture();
    fixture.client.batch_execute("create role boss superuser login").unwrap();
    let mut boss = fixture.cluster.connect_as("boss", "postgres");
    boss.batch_execute("alter role postgres rename to first; create role postgres login").unwrap();
    create(&mut boss, Version(0, 11, 0));
    let mut postgres = fixture.cluster.connect();
    for right in RIGHTS {
        postgres.batch_execute(&format!("begin; {right}; rollback")).unwrap_or_else(|error| panic!("{right}: {error}"));
    }
    update(&mut boss);
    for right in RIGHTS {
        assert_eq!(error_of(&mut postgres, right).0, "42501", "{right}");
    }
    assert_works(&mut postgres, &fixture.receiver);
    assert_works(&mut boss, &fixture.receiver);
    let visible = "select array_agg(id order by id) from net._http_response";
    assert_eq!(value::<Vec<i64>>(&mut postgres, visible), [1]);
    assert_eq!(value::<Vec<i64>>(&mut boss, visible), [1, 2]);
}
