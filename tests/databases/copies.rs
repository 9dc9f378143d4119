//! Copies of a database do not send again what the original sends.

use testkit::{Cluster, PATIENCE, Receiver, wait_until};

use super::{assert_all_answered, create, queue};
use crate::fixture::{assert_works, value};

/// A database with a thousand requests, as many of them in flight as may be, and a copy of it.
fn copied(receiver: &Receiver) -> Cluster {
    let cluster = Cluster::start_default();
    let mut app = create(&cluster, "app");
    let _gate = receiver.hold("/held");
    queue(&mut app, &receiver.url("/held"), 1000);
    // All have arrived: none comes late when those are counted that come again.
    receiver.wait_for(200);
    app.close().unwrap();
    cluster.connect().batch_execute("create database copy template app").unwrap();
    cluster
}

/// How many requests came to a path.
fn came(receiver: &Receiver, path: &str) -> usize {
    receiver.requests().iter().filter(|request| request.path() == path).count()
}

#[test]
fn a_copy_from_a_template_sends_its_own_requests_alone() {
    let receiver = Receiver::start();
    let cluster = copied(&receiver);
    assert_all_answered(&mut cluster.connect_as("postgres", "app"), 1000);
    let before = came(&receiver, "/held");
    assert_eq!(before, 1200);
    let mut copy = cluster.connect_as("postgres", "copy");
    queue(&mut copy, &receiver.url("/own"), 500);
    assert_all_answered_beside(&mut copy, 500, 1000);
    assert_eq!((came(&receiver, "/own"), came(&receiver, "/held")), (500, before));
    assert_eq!(super::lines(&cluster, &["is a copy", "1000 requests"]), 1, "{}", cluster.log());

    // Neither a look at all of the queue nor another worker changes that.
    copy.batch_execute("select net.wake()").unwrap();
    copy.batch_execute("select net.worker_restart()").unwrap();
    copy.batch_execute("select net.wait_until_running()").unwrap();
    assert_works(&mut copy, &receiver);
    assert_eq!(came(&receiver, "/held"), before);
    assert_eq!(super::lines(&cluster, &["is a copy"]), 1, "{}", cluster.log());
}

/// Waits for so many responses beside so many requests that are left alone.
#[track_caller]
fn assert_all_answered_beside(client: &mut postgres::Client, responses: i64, left: i64) {
    wait_until("the responses", PATIENCE, || {
        value::<i64>(client, "select count(*) from net._http_response where status_code = 200") == responses
            && value::<i64>(client, "select count(*) from net.http_request_queue") == left
    });
}

#[test]
fn what_a_copy_inherited_can_be_sent_or_deleted() {
    let receiver = Receiver::start();
    let cluster = copied(&receiver);
    let mut copy = cluster.connect_as("postgres", "copy");
    copy.batch_execute(
        "delete from net.http_request_queue where made_in <> net._this_database() and id > 10;
         update net.http_request_queue set made_in = default where made_in <> net._this_database();
         select net.wake()",
    )
    .unwrap();
    assert_all_answered(&mut copy, 10);
}

#[test]
fn a_copy_from_a_dump_brings_no_requests() {
    let receiver = Receiver::start();
    let cluster = Cluster::builder().conf("pg_net.paused", "on").start_ready();
    let mut app = create(&cluster, "app");
    queue(&mut app, &receiver.url("/queued"), 10);
    cluster.run("pg_dump", &["-Fc", "-f", "dump", "app"]);
    cluster.connect().batch_execute("create database restored").unwrap();
    cluster.run("pg_restore", &["-d", "restored", "dump"]);
    let mut restored = cluster.connect_as("postgres", "restored");
    assert_eq!(value::<i64>(&mut restored, "select count(*) from net.http_request_queue"), 0);
    assert!(value::<bool>(&mut restored, "select stamp = net._this_database() from net._home"));
    cluster.alter_system("pg_net.paused", "off");
    assert_works(&mut restored, &receiver);
    assert_all_answered(&mut app, 10);
    assert_eq!(came(&receiver, "/queued"), 10);
}
