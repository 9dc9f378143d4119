//! `net.cancel` of an array.

use postgres::Client;

use testkit::Call;

use super::{Standing, arrivals, ask_waiting, crowded_so_that_the_next_is};
use crate::fixture::value;

fn cancel(client: &mut Client, ids: &str) -> i64 {
    value(client, &format!("select net.cancel({ids})"))
}

#[test]
fn cancel_counts_only_the_requests_that_it_cancelled() {
    let (mut fixture, gate) = crowded_so_that_the_next_is(Standing::Claimed);
    let (claimed, queued) = (ask_waiting(&mut fixture, "/lost"), ask_waiting(&mut fixture, "/lost"));
    let kept = ask_waiting(&mut fixture, "/kept");
    for nothing in ["null::bigint[]", "'{}'::bigint[]", "array[null]::bigint[]", "'{1, 12345, -7}'::bigint[]"] {
        assert_eq!(cancel(&mut fixture.client, nothing), 0, "{nothing}");
    }
    let ids = format!("'{{{queued}, null, 1, {claimed}, {queued}, 12345, {claimed}}}'::bigint[]");
    assert_eq!(cancel(&mut fixture.client, &ids), 2);
    assert_eq!(cancel(&mut fixture.client, &ids), 0, "a second time");
    let square = format!("array[array[{kept}, 1], array[null, 12345]]");
    fixture.client.batch_execute("begin").unwrap();
    assert_eq!(cancel(&mut fixture.client, &square), 1);
    fixture.client.batch_execute("rollback").unwrap();
    gate.release();
    assert_eq!(fixture.response(kept).status_code, Some(200));
    fixture.assert_works();
    assert_eq!((arrivals(&fixture, "/lost"), arrivals(&fixture, "/kept")), (0, 1));
}

/// What a role may take back one by one, and nothing else.
#[test]
fn cancel_of_many_ids_cancels_what_the_role_may() {
    let (mut fixture, gate) = crowded_so_that_the_next_is(Standing::Queued);
    fixture
        .client
        .batch_execute(
            "create role ann login; create role bob login; create role eve login in role ann;
             create role reader login in role pg_read_all_data; create role owner_s login in role postgres",
        )
        .unwrap();
    let url = fixture.receiver.url("/theirs");
    let mut connect = |role: &str| fixture.cluster.connect_as(role, "postgres");
    let [mut ann, mut bob] = ["ann", "bob"].map(&mut connect);
    for client in [&mut ann, &mut bob] {
        for _ in 0..20 {
            Call::get(&url).send(client);
        }
    }
    let others = "(select array_agg(n) from generate_series(1, 1000) n)";
    // The owner has one more, which is claimed.
    for (role, taken) in [("reader", 0), ("eve", 20), ("ann", 0), ("owner_s", 21), ("postgres", 0)] {
        assert_eq!(cancel(&mut connect(role), others), taken, "{role}");
    }
    gate.release();
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/theirs"), 0);
}

/// It knows who calls also where an administrator has made it run as its owner.
#[test]
fn cancel_in_a_security_definer_function_serves_the_caller() {
    let (mut fixture, gate) = crowded_so_that_the_next_is(Standing::Queued);
    fixture
        .client
        .batch_execute("create role bob login; alter function net.cancel(bigint[]) security definer")
        .unwrap();
    let kept = ask_waiting(&mut fixture, "/kept");
    let mut bob = fixture.cluster.connect_as("bob", "postgres");
    assert_eq!(cancel(&mut bob, &format!("array[{kept}]")), 0);
    let url = fixture.receiver.url("/lost");
    let lost = Call::get(&url).send(&mut bob);
    assert_eq!(cancel(&mut bob, &format!("array[{kept}, {lost}]")), 1);
    gate.release();
    assert_eq!(fixture.response(kept).status_code, Some(200));
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/lost"), 0);
}

/// Ids say nothing about where rows stand once the sequence was set back: then the queue is looked through.
#[test]
fn cancel_finds_ids_anywhere_in_the_queue() {
    let (mut fixture, gate) = crowded_so_that_the_next_is(Standing::Queued);
    let url = fixture.receiver.url("/lost");
    fixture.client.batch_execute("select setval('net.http_request_queue_id_seq', 9000000000)").unwrap();
    let far = fixture.send(Call::get(&url));
    fixture.client.batch_execute("select setval('net.http_request_queue_id_seq', 500)").unwrap();
    let near = fixture.send(Call::get(&url));
    // By hand, with an id that there is, and the greatest and the least there can be.
    fixture
        .client
        .batch_execute(&format!(
            "insert into net.http_request_queue (id, method, url, timeout_milliseconds) \
             select id, 'GET', '{url}', 1000 from unnest('{{{near}, 9223372036854775807, -9223372036854775808}}'::bigint[]) id"
        ))
        .unwrap();
    for mut client in [fixture.cluster.connect(), fixture.cluster.connect()] {
        client.batch_execute("begin").unwrap();
        let ids = format!("'{{{far}, {near}, 9223372036854775807, -9223372036854775808, 77}}'::bigint[]");
        assert_eq!(cancel(&mut client, &ids), 5);
        client.batch_execute("rollback").unwrap();
        Call::get(&url).send(&mut client);
        assert_eq!(
            cancel(&mut client, "(select array_agg(id) from net.http_request_queue where url like '%/lost')"),
            6
        );
        client
            .batch_execute(&format!(
                "insert into net.http_request_queue (id, method, url, timeout_milliseconds) \
             select id, 'GET', '{url}', 1000 \
             from unnest('{{{far}, {near}, {near}, 9223372036854775807, -9223372036854775808}}'::bigint[]) id"
            ))
            .unwrap();
    }
    fixture.client.batch_execute("delete from net.http_request_queue where url like '%/lost'").unwrap();
    gate.release();
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/lost"), 0);
}

#[test]
fn cancel_of_many_ids_works_under_any_search_path() {
    let (mut fixture, gate) = crowded_so_that_the_next_is(Standing::Queued);
    let id = ask_waiting(&mut fixture, "/lost");
    fixture
        .client
        .batch_execute(
            "create schema evil;
             create function evil.f(bigint, bigint) returns bool language plpgsql as 'begin raise ''caught''; end';
             create operator evil.= (leftarg = bigint, rightarg = bigint, function = evil.f);
             create operator evil.<= (leftarg = bigint, rightarg = bigint, function = evil.f);
             create operator evil.>= (leftarg = bigint, rightarg = bigint, function = evil.f);
             create operator evil.< (leftarg = bigint, rightarg = bigint, function = evil.f);
             set search_path = evil, pg_catalog",
        )
        .unwrap();
    assert_eq!(cancel(&mut fixture.client, &format!("'{{{id}}}'::pg_catalog.int8[]")), 1);
    fixture.client.batch_execute("reset search_path").unwrap();
    gate.release();
    fixture.assert_works();
    assert_eq!(arrivals(&fixture, "/lost"), 0);
}
