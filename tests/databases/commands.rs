//! Commands that need a database to themselves, although a worker is there, and those that open one to connections.

use std::time::Duration;

use testkit::{Cluster, Receiver, kill, wait_until};

use super::{assert_all_answered, create, lines, queue, served};
use crate::fixture::{allow_at_most, assert_works, error_of, value};

/// What is to return promptly.
const PROMPTLY: Duration = Duration::from_secs(1);

#[test]
fn each_database_command_returns_promptly_with_requests_in_flight() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let gate = receiver.hold("/held");
    let mut admin = cluster.connect();
    allow_at_most(&mut admin, PROMPTLY);
    let place = tempfile_place(&cluster);
    let commands = [
        "create database copy template app".to_owned(),
        "alter database app rename to other".to_owned(),
        format!("create tablespace there location '{place}'"),
        "alter database other set tablespace there".to_owned(),
        "alter database other rename to app".to_owned(),
        "drop database app".to_owned(),
        "drop database copy with (force)".to_owned(),
    ];
    let mut name = "app";
    drop(create(&cluster, name));
    for (number, command) in commands.iter().enumerate() {
        let mut client = cluster.connect_as("postgres", name);
        queue(&mut client, &receiver.url("/held"), 5);
        receiver.wait_for_request("one in flight", |request| request.path() == "/held");
        cluster.worker_pid_in(&mut client, name);
        client.close().unwrap();
        admin.batch_execute(command).unwrap_or_else(|error| panic!("{command}, number {number}: {error:?}"));
        if let Some((_, new)) = command.split_once(" rename to ") {
            name = new;
        }
        if command == "drop database app" {
            name = "copy";
        }
    }
    gate.release();
    let mut client = create(&cluster, "app");
    assert_works(&mut client, &receiver);
}

/// A directory of the server's account, outside of its data.
fn tempfile_place(cluster: &Cluster) -> String {
    cluster.directory("tablespace").to_str().expect("a path in UTF-8").to_owned()
}

#[test]
fn several_database_commands_at_once_return_promptly() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let _gate = receiver.hold("/held");
    let names = ["a", "b", "c"];
    for (number, name) in names.iter().enumerate() {
        queue(&mut create(&cluster, name), &receiver.url("/held"), 5);
        receiver.wait_for(5 * (number + 1));
    }
    std::thread::scope(|scope| {
        for name in names {
            let mut admin = cluster.connect();
            scope.spawn(move || {
                allow_at_most(&mut admin, PROMPTLY);
                admin
                    .batch_execute(&format!("drop database {name}"))
                    .unwrap_or_else(|error| panic!("{name}: {error:?}"));
            });
        }
    });
    assert_works(&mut cluster.connect(), &receiver);
}

#[test]
fn a_database_that_takes_a_dropped_ones_name_is_another_one() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let gate = receiver.hold("/held");
    for round in 1..=3 {
        let mut client = create(&cluster, "app");
        queue(&mut client, &receiver.url("/held"), 5);
        receiver.wait_for(round * 5);
        client.close().unwrap();
        cluster.connect().batch_execute("drop database app").unwrap();
    }
    gate.release();
    let mut client = create(&cluster, "app");
    assert_works(&mut client, &receiver);
    assert_eq!(value::<i64>(&mut client, "select count(*) from net._http_response"), 1);
}

#[test]
fn a_request_in_a_template_is_sent_and_copying_it_is_not_held_up() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let mut template = cluster.connect_as("postgres", "template1");
    template.batch_execute("create extension pg_net").unwrap();
    assert_works(&mut template, &receiver);
    template.close().unwrap();
    let mut admin = cluster.connect();
    assert_eq!(served(&mut admin), ["postgres", "template1"]);
    allow_at_most(&mut admin, PROMPTLY);
    admin.batch_execute("create database app").unwrap();
    let mut app = cluster.connect_as("postgres", "app");
    assert_works(&mut app, &receiver);
}

/// The command fails for a reason of its own; the worker, asked to leave, is back.
#[test]
fn a_database_command_that_fails_leaves_the_worker_at_work() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    assert_works(&mut app, &receiver);
    assert_eq!(error_of(&mut cluster.connect(), "drop database app").0, "55006");
    assert_works(&mut app, &receiver);
}

#[test]
fn a_database_that_allows_no_connections_is_left_alone_until_it_does() {
    let cluster = Cluster::builder().conf("pg_net.paused", "on").start_ready();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    queue(&mut app, &receiver.url("/kept"), 5);
    let mut admin = cluster.connect();
    let worker = cluster.worker_pid_in(&mut admin, "app");
    admin.batch_execute("alter database app allow_connections false").unwrap();
    kill(worker);
    drop(app);
    wait_until("the sessions' end", testkit::PATIENCE, || admin.batch_execute("select 1").is_err());
    let mut admin = wait_until("the server after the crash", testkit::PATIENCE, || {
        cluster.try_connect_as("postgres", "postgres").ok()
    });
    cluster.alter_system("pg_net.paused", "off");
    assert_works(&mut admin, &receiver);
    // Time itself is what this is about: attempts without a pause would show in the log.
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!(lines(&cluster, &["FATAL", "app"]), 0, "{}", cluster.log());
    assert_eq!(receiver.count(), 1);

    admin.batch_execute("alter database app allow_connections true").unwrap();
    receiver.wait_for(6);
    assert_all_answered(&mut cluster.connect_as("postgres", "app"), 5);
}
