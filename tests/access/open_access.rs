//! `net.restore_open_access()`: the C version's openness, for the owner to give to all or to one role.

use postgres::Client;

use testkit::Call;

use crate::fixture::{Fixture, error_of, value};

const SETUP: &str = "create role alice login; create role bob login; create role carol login";

/// What everybody could do under the C version.
const OPEN: [&str; 8] = [
    "select url from net.http_request_queue",
    "update net.http_request_queue set url = url",
    "update net._http_response set id = id",
    "insert into net._http_response (id) values (7)",
    "truncate net.http_request_queue, net._http_response",
    "lock table net.http_request_queue, net._http_response in access exclusive mode",
    "select nextval('net.http_request_queue_id_seq'), currval('net.http_request_queue_id_seq')",
    "select net.worker_restart()",
];

fn undone(sql: &str) -> String {
    format!("begin; {sql}; rollback")
}

#[track_caller]
fn count(client: &mut Client) -> i64 {
    value(client, "select count(*) from net._http_response")
}

#[track_caller]
fn assert_closed(client: &mut Client) {
    for open in &OPEN[1..] {
        assert_eq!(error_of(client, &undone(open)).0, "42501", "{open}");
        client.batch_execute("rollback").unwrap();
    }
    // Its own rows are all that these reach: there are none.
    for all in ["delete from net.http_request_queue", "delete from net._http_response"] {
        assert_eq!(client.execute(all, &[]).unwrap(), 0, "{all}");
    }
}

#[track_caller]
fn assert_open(client: &mut Client, rows: i64) {
    assert_eq!(count(client), rows);
    for open in OPEN {
        client.batch_execute(&undone(open)).unwrap_or_else(|error| panic!("{open}: {error:?}"));
    }
    let mut transaction = client.transaction().unwrap();
    assert_eq!(transaction.execute("update net._http_response set content = null", &[]).unwrap(), rows as u64);
    assert_eq!(transaction.execute("delete from net._http_response", &[]).unwrap(), rows as u64);
}

/// To one role, and to all.
#[test]
fn open_access_is_given_by_the_owner_and_can_be_taken_back() {
    for whom in ["'bob'", ""] {
        let mut fixture = Fixture::new();
        fixture.client.batch_execute(SETUP).unwrap();
        let [mut alice, mut bob, mut carol] =
            ["alice", "bob", "carol"].map(|role| fixture.cluster.connect_as(role, "postgres"));
        let url = fixture.receiver.url("/alices");
        let id = Call::get(&url).send(&mut alice);
        fixture.response(id);
        for function in ["restore_open_access", "revoke_open_access"] {
            assert_eq!(error_of(&mut bob, &format!("select net.{function}({whom})")).0, "42501");
        }
        assert_eq!((count(&mut alice), count(&mut bob)), (1, 0));
        // A plan that is kept hears of it, as it does of another role.
        bob.batch_execute("prepare seen as select count(*) from net._http_response").unwrap();
        assert_eq!(value::<i64>(&mut bob, "select count(*) from net._http_response"), 0);
        assert_closed(&mut bob);

        fixture.client.batch_execute(&format!("select net.restore_open_access({whom})")).unwrap();
        assert_open(&mut bob, 1);
        match bob.simple_query("execute seen").unwrap().swap_remove(1) {
            postgres::SimpleQueryMessage::Row(row) => assert_eq!(row.get(0), Some("1")),
            _ => panic!("a row"),
        }
        if whom.is_empty() {
            assert_open(&mut carol, 1)
        } else {
            assert_closed(&mut carol)
        }
        let inserted = value::<i64>(
            &mut bob,
            &format!(
                "insert into net.http_request_queue (method, url, headers, timeout_milliseconds)
                 values ('GET', '{url}', '{{}}', 2000) returning id"
            ),
        );
        bob.batch_execute("select net.wake()").unwrap();
        assert_eq!(fixture.response(inserted).status_code, Some(200));
        // Code that is attached to the tables would run with the rights of their owner.
        for closed in [
            "create trigger planted before insert on net._http_response
                 for each row execute function suppress_redundant_updates_trigger()",
            "create rule planted as on delete to net._http_response do instead nothing",
            "create table refers (id bigint references net._http_response)",
            "create policy planted on net._http_response",
            "alter table net._http_response alter column created set default null",
            "insert into net._open_access values ('carol')",
            "insert into net.egress_rule (action) values ('deny')",
        ] {
            assert_eq!(error_of(&mut bob, closed).0, "42501", "{closed}");
        }

        fixture.client.batch_execute(&format!("select net.revoke_open_access({whom})")).unwrap();
        bob.batch_execute(&format!("delete from net._http_response where id = {inserted}")).unwrap();
        assert_closed(&mut bob);
        assert_eq!((count(&mut alice), count(&mut bob), count(&mut carol)), (1, 0, 0), "their own");
        assert_eq!(alice.execute("update net._http_response set content = null", &[]).unwrap(), 1, "as before");
        fixture.assert_works();
    }
}
