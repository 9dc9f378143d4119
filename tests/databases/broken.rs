//! Databases where something is broken: the others do not notice, and the log is not flooded.

use std::thread::sleep;
use std::time::Duration;

use testkit::{Cluster, Receiver};

use super::{assert_all_answered, create, lines, queue};
use crate::fixture::{assert_works, error_of};

/// Time itself is what these tests are about: what is tried every second shows within so long.
const A_WHILE: Duration = Duration::from_secs(4);

#[test]
fn a_database_that_the_workers_role_may_not_connect_to_stops_no_other() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    cluster.connect().batch_execute("create role sender login superuser").unwrap();
    let (mut app, mut other) = (create(&cluster, "app"), create(&cluster, "other"));
    let mut admin = cluster.connect();
    admin.batch_execute("alter role sender nosuperuser; revoke connect on database app from public").unwrap();
    for name in ["other", "postgres"] {
        let owner = "alter schema net owner to sender; grant all on all tables in schema net to sender";
        cluster.connect_as("postgres", name).batch_execute(owner).unwrap();
    }
    cluster.alter_system("pg_net.username", "sender");
    for client in [&mut app, &mut other] {
        client.batch_execute("select net.worker_restart()").unwrap();
    }
    queue(&mut app, &receiver.url("/app"), 5);
    cluster.wait_for_log("requests wait until that changes");
    other.batch_execute("select net.wait_until_running()").unwrap();
    assert_eq!(error_of(&mut app, "select net.check_worker_is_up()").1, "the pg_net background worker is not up");
    sleep(A_WHILE);
    assert_eq!(lines(&cluster, &["lacks the privilege CONNECT on database \"app\""]), 1, "{}", cluster.log());
    assert_eq!((receiver.count(), lines(&cluster, &["FATAL"])), (0, 0), "{}", cluster.log());

    admin.batch_execute("alter role sender superuser").unwrap();
    assert_all_answered(&mut app, 5);
    app.batch_execute("select net.check_worker_is_up()").unwrap();
}

#[test]
fn a_role_that_may_not_log_in_is_reported_and_tried_again() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    let mut admin = cluster.connect();
    admin.batch_execute("create role sender superuser nologin").unwrap();
    cluster.alter_system("pg_net.username", "sender");
    for client in [&mut app, &mut admin] {
        client.batch_execute("select net.worker_restart()").unwrap();
    }
    queue(&mut app, &receiver.url("/app"), 5);
    cluster.wait_for_log("role \"sender\" may not log in");
    for client in [&mut app, &mut admin] {
        assert_eq!(error_of(client, "select net.check_worker_is_up()").1, "the pg_net background worker is not up");
        client.batch_execute("set statement_timeout = '300ms'").unwrap();
        assert_eq!(error_of(client, "select net.wait_until_running()").0, "57014");
        client.batch_execute("reset statement_timeout").unwrap();
    }
    sleep(A_WHILE);
    assert!(lines(&cluster, &["FATAL", "sender"]) <= 1, "{}", cluster.log());
    assert!(lines(&cluster, &["LOG", "role \"sender\" may not log in"]) <= 2, "{}", cluster.log());

    admin.batch_execute("alter role sender login; select net.worker_restart()").unwrap();
    assert_all_answered(&mut app, 5);
    assert_works(&mut admin, &receiver);
}

#[test]
fn a_database_with_altered_tables_stops_no_other() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    app.batch_execute("alter table net.http_request_queue rename column url to address").unwrap();
    let url = receiver.url("/app");
    let insert = format!(
        "insert into net.http_request_queue (method, address, timeout_milliseconds) values ('GET', '{url}', 2000);
         select net.wake()"
    );
    app.batch_execute(&insert).unwrap();
    cluster.wait_for_log("could not read the queue");
    let mut postgres = cluster.connect();
    assert_works(&mut postgres, &receiver);
    sleep(A_WHILE);
    let said = lines(&cluster, &["could not read the queue"]);
    assert!(said <= 7, "{said} lines for a pause that doubles:\n{}", cluster.log());
    assert_works(&mut postgres, &receiver);

    app.batch_execute("alter table net.http_request_queue rename column address to url; select net.wake()").unwrap();
    assert_all_answered(&mut app, 1);
}
