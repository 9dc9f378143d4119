//! `net.restore_open_access()`: the C version's openness, for the owner to give.

use postgres::Client;

use crate::support::{Bench, ask, error_of, value};

const SETUP: &str = "create role alice login; create role bob login";

/// What everybody could do under the C version.
const OPEN: [&str; 8] = [
    "select url from net.http_request_queue",
    "update net.http_request_queue set url = url",
    "update net._http_response set content = content",
    "delete from net.http_request_queue",
    "delete from net._http_response",
    "truncate net.http_request_queue, net._http_response",
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

#[test]
fn is_given_by_the_owner_and_can_be_taken_back() {
    let mut bench = Bench::new();
    bench.client.batch_execute(SETUP).unwrap();
    let (mut alice, mut bob) =
        (bench.cluster.connect_as("alice", "postgres"), bench.cluster.connect_as("bob", "postgres"));
    let url = bench.receiver.url("/alices");
    let id = ask(&mut alice, &format!("select net.http_get('{url}')"));
    bench.response(id);
    assert_eq!(error_of(&mut bob, "select net.restore_open_access()").0, "42501");
    assert_eq!((count(&mut alice), count(&mut bob)), (1, 0));
    for open in &OPEN[1..] {
        assert_eq!(error_of(&mut bob, &undone(open)).0, "42501", "{open}");
        bob.batch_execute("rollback").unwrap();
    }

    bench.client.batch_execute("select net.restore_open_access()").unwrap();
    assert_eq!((count(&mut alice), count(&mut bob)), (1, 1));
    for open in OPEN {
        bob.batch_execute(&undone(open)).unwrap_or_else(|error| panic!("{open}: {error:?}"));
    }
    let inserted = ask(
        &mut bob,
        &format!(
            "insert into net.http_request_queue (method, url, headers, timeout_milliseconds)
             values ('GET', '{url}', '{{}}', 2000) returning id"
        ),
    );
    bob.batch_execute("select net.wake()").unwrap();
    assert_eq!(bench.response(inserted).status_code, Some(200));
    // Code that is attached to the tables would run with the rights of their owner.
    for closed in [
        "create trigger planted before insert on net._http_response
             for each row execute function suppress_redundant_updates_trigger()",
        "create table refers (id bigint references net._http_response)",
        "create policy planted on net._http_response",
        "alter table net._http_response alter column created set default null",
    ] {
        assert_eq!(error_of(&mut bob, closed).0, "42501", "{closed}");
    }

    bench.client.batch_execute(&take_back()).unwrap();
    assert_eq!((count(&mut alice), count(&mut bob)), (1, 1), "their own");
    for open in &OPEN[1..] {
        assert_eq!(error_of(&mut bob, &undone(open)).0, "42501", "{open}");
        bob.batch_execute("rollback").unwrap();
    }
    bench.assert_works();
}

/// The statements that the README gives.
fn take_back() -> String {
    let readme = include_str!("../../../../README.md");
    let from = readme.find("alter table net.http_request_queue enable row level security").expect("the statements");
    let block = &readme[from..];
    block[..block.find("```").expect("the end of the statements")].to_owned()
}
