//! `pg_net.paused`: requests wait.

use testkit::{Cluster, PATIENCE, Receiver, responses, wait_until};

use super::{assert_all_answered, create, queue, served, wait_for_workers_in};
use crate::fixture::{Fixture, value};

#[test]
fn a_server_that_starts_paused_sends_nothing_until_it_is_told() {
    let mut cluster = Cluster::builder().conf("pg_net.paused", "on").start_ready();
    let receiver = Receiver::start();
    let (mut postgres, mut app) = (cluster.connect(), create(&cluster, "app"));
    queue(&mut postgres, &receiver.url("/postgres"), 5);
    queue(&mut app, &receiver.url("/app"), 5);
    drop((postgres, app));
    cluster.stop(testkit::Shutdown::Immediate);
    cluster.start();

    let (mut postgres, mut app) = (cluster.connect(), cluster.connect_as("postgres", "app"));
    for client in [&mut postgres, &mut app] {
        client.batch_execute("select net.wait_until_running(); select net.check_worker_is_up()").unwrap();
        client.batch_execute("select net.wake()").unwrap();
    }
    // Time itself is what this is about.
    std::thread::sleep(std::time::Duration::from_secs(1));
    assert_eq!(receiver.count(), 0);
    for client in [&mut postgres, &mut app] {
        assert_eq!(value::<i64>(client, "select count(*) from net.http_request_queue"), 5);
    }

    cluster.alter_system("pg_net.paused", "off");
    receiver.wait_for(10);
    for client in [&mut postgres, &mut app] {
        assert_all_answered(client, 5);
    }
    assert_eq!(receiver.count(), 10);
}

#[test]
fn what_is_under_way_when_a_pause_begins_ends_and_is_recorded() {
    let mut fixture = Fixture::new();
    let gate = fixture.receiver.hold("/held");
    queue(&mut fixture.client, &fixture.receiver.url("/held"), 5);
    fixture.receiver.wait_for(5);
    fixture.cluster.alter_system("pg_net.paused", "on");
    queue(&mut fixture.client, &fixture.receiver.url("/later"), 5);
    gate.release();
    let answers = responses(&mut fixture.client, 5);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)));
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 5);
    assert_eq!(fixture.receiver.count(), 5);

    fixture.cluster.alter_system("pg_net.paused", "off");
    assert_all_answered(&mut fixture.client, 10);
}

/// A process that starts has the settings of the moment when it was forked, and no ear for signals at first.
#[test]
fn a_worker_that_starts_while_the_pause_ends_sends() {
    // What delays sessions delays workers too, before they do anything else.
    let cluster = Cluster::builder().conf("pg_net.paused", "on").conf("post_auth_delay", "2").start_ready();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    queue(&mut app, &receiver.url("/app"), 5);
    wait_until("the process of a worker", PATIENCE, || cluster.has_process("pg_net worker"));
    cluster.set_in_file("pg_net.paused", "off");
    cluster.wait_for_log("parameter \"pg_net.paused\" changed to \"off\"");
    assert!(!served(&mut app).contains(&"app".into()), "the pause ends while it starts");
    assert_all_answered(&mut app, 5);
    assert_eq!(receiver.count(), 5);
}

#[test]
fn a_worker_that_left_during_the_pause_comes_again() {
    let cluster =
        Cluster::builder().conf("pg_net.paused", "on").conf("pg_net.worker_idle_timeout", "100ms").start_ready();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    queue(&mut app, &receiver.url("/app"), 5);
    app.batch_execute("select net.wait_until_running()").unwrap();
    wait_for_workers_in(&mut app, &["postgres"]);
    assert_eq!(receiver.count(), 0);
    cluster.alter_system("pg_net.paused", "off");
    assert_all_answered(&mut app, 5);
    assert_eq!(receiver.count(), 5);
}
