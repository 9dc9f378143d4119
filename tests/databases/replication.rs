//! A logical subscriber that has the extension, too: what is queued on the publisher is the publisher's to send.

use postgres::Client;
use testkit::{Call, Cluster, PATIENCE, Receiver, responses, wait_until};

use crate::fixture::{Fixture, allow_at_most, assert_works, value};

/// A publisher of all its tables.
fn publisher() -> Fixture {
    let fixture = Fixture::with(Cluster::builder().conf("wal_level", "logical").start_ready());
    let cluster = &fixture.cluster;
    cluster.connect().batch_execute("create table mark (n int); create publication everything for all tables").unwrap();
    fixture
}

/// A server that subscribes to it, with a connection.
fn subscriber(publisher: &Fixture) -> (Cluster, Client) {
    let cluster = Cluster::start_default();
    let mut client = cluster.connect();
    client.batch_execute("create table mark (n int)").unwrap();
    let publisher = publisher.cluster.connection_string();
    let subscribe = format!("create subscription everything connection '{publisher}' publication everything");
    client.batch_execute(&subscribe).unwrap();
    (cluster, client)
}

/// Waits until what is committed on the publisher stands on the subscriber.
fn catch_up(publisher: &mut Fixture, subscriber: &mut Client) {
    let mark = publisher.value::<i32>("insert into mark select count(*)::int from mark returning n");
    wait_until("the subscriber to catch up", PATIENCE, || {
        value::<bool>(subscriber, &format!("select exists (select from mark where n = {mark})"))
    });
}

fn queue_requests(fixture: &mut Fixture, count: usize) {
    let url = fixture.receiver.url("/held");
    fixture.send_times(Call::get(&url).timeout(60_000), count);
}

/// Has the subscriber's worker look at its queue in every way that there is.
fn have_it_look(client: &mut Client, its_own: &Receiver) {
    allow_at_most(client, PATIENCE);
    client.batch_execute("select net.wake()").unwrap();
    assert_works(client, its_own);
    client.batch_execute("select net.worker_restart()").unwrap();
    client.batch_execute("select net.wait_until_running()").unwrap();
    assert_works(client, its_own);
}

#[test]
fn a_subscriber_of_all_tables_sends_none_of_the_publishers_requests() {
    let mut publisher = publisher();
    let gate = publisher.receiver.hold("/held");
    // Half of them are there when the subscription begins, and are copied; the others come as a stream.
    queue_requests(&mut publisher, 500);
    let (_cluster, mut client) = subscriber(&publisher);
    catch_up(&mut publisher, &mut client);
    queue_requests(&mut publisher, 500);
    catch_up(&mut publisher, &mut client);
    // As many as an origin may have in flight, all of them the publisher's.
    publisher.receiver.wait_for(200);

    let its_own = Receiver::start();
    have_it_look(&mut client, &its_own);
    assert_eq!(publisher.receiver.count(), 200);
    gate.release();
    let answers = responses(&mut publisher.client, 1000);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{:?}", answers[0]);
    catch_up(&mut publisher, &mut client);
    have_it_look(&mut client, &its_own);

    assert_eq!(publisher.receiver.count(), 1000);
    assert_eq!(value::<i64>(&mut client, "select count(*) from net._http_response"), 4, "its own");
    assert_eq!(value::<i64>(&mut client, "select count(*) from net.http_request_queue"), 0);
}

/// What a trigger asks for while a replicated row is applied is a request of the subscriber's own.
#[test]
fn a_subscriber_sends_what_its_own_triggers_request() {
    let mut publisher = publisher();
    let (_cluster, mut client) = subscriber(&publisher);
    let its_own = Receiver::start();
    let url = its_own.url("/applied");
    client
        .batch_execute(&format!(
            "create function tell() returns trigger language plpgsql as $$
             begin
                 perform net.http_post('{url}', jsonb_build_object('n', new.n));
                 insert into net.http_request_queue (method, url, timeout_milliseconds) values ('GET', '{url}', 2000);
                 return new;
             end
             $$;
             create trigger tell after insert on mark for each row execute function tell();
             alter table mark enable always trigger tell"
        ))
        .unwrap();
    catch_up(&mut publisher, &mut client);
    let answers = responses(&mut client, 2);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    let mut methods: Vec<_> = its_own.requests().iter().map(|request| request.method.clone()).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["GET", "POST"]);
    assert_eq!(publisher.receiver.count(), 0);
    assert_eq!(value::<i64>(&mut publisher.client, "select count(*) from net._http_response"), 0);
}

/// Restoring data into a session that fires no ordinary triggers brings no request of another database back.
#[test]
fn rows_with_keys_of_others_do_not_come_in_under_the_role_of_a_replica() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/stale");
    fixture
        .client
        .batch_execute(&format!(
            "set session_replication_role = replica;
             insert into net.http_request_queue (id, method, url, timeout_milliseconds, row_key)
             values (1, 'GET', '{url}', 2000, 7)"
        ))
        .unwrap();
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0);
    let url = fixture.receiver.url("/own");
    assert_eq!(fixture.fetch(Call::get(&url)).status_code, Some(200));
    assert_eq!(fixture.receiver.wait_for(1).len(), 1);
}
