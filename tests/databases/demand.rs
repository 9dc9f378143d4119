//! Workers that start on demand, and leave when there is nothing to do.

use std::thread;
use std::time::Duration;

use postgres::Client;
use testkit::{Cluster, Gate, PATIENCE, Receiver, kill, wait_until};

use super::{create, served, wait_for_workers_in};
use crate::fixture::{assert_works, value};

#[test]
fn a_request_in_any_database_is_sent_without_a_setting() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    assert_works(&mut app, &receiver);
    assert_works(&mut cluster.connect(), &receiver);
    assert_eq!(served(&mut app), ["app", "postgres"]);
    let shown = "select application_name, state in ('idle', 'active') from pg_stat_activity
                  where backend_type ilike '%pg_net%' and datname = 'app'";
    let row = app.query_one(shown, &[]).unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get(1)), (concat!("pg_net ", env!("CARGO_PKG_VERSION")), true));
}

#[test]
fn an_idle_worker_leaves_and_a_request_starts_another() {
    let cluster = Cluster::builder().conf("pg_net.worker_idle_timeout", "200ms").start_ready();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    for _ in 0..3 {
        assert_works(&mut app, &receiver);
        wait_for_workers_in(&mut app, &["postgres"]);
        app.batch_execute("select net.check_worker_is_up()").unwrap();
    }
    assert_eq!(receiver.count(), 3);
}

#[test]
fn wait_until_running_starts_a_worker() {
    let cluster = Cluster::builder().conf("pg_net.worker_idle_timeout", "2s").start_ready();
    let mut app = create(&cluster, "app");
    wait_until("the worker's visit after create extension", PATIENCE, || served(&mut app) == ["app", "postgres"]);
    wait_for_workers_in(&mut app, &["postgres"]);
    app.batch_execute("select net.wait_until_running()").unwrap();
    assert_eq!(served(&mut app), ["app", "postgres"]);
    app.batch_execute("select net.check_worker_is_up()").unwrap();
    let one = "select pid from pg_stat_activity where backend_type ilike '%pg_net%' and datname = 'app'";
    let before: i32 = value(&mut app, one);
    app.batch_execute("select net.worker_restart()").unwrap();
    app.batch_execute("select net.wait_until_running()").unwrap();
    assert_ne!(value::<i32>(&mut app, one), before, "the one that was there has made room");
}

/// A worker that comes to see whether there is anything to do leaves when there is not, but not if a session waits for it.
#[test]
fn a_worker_that_somebody_waited_for_stays_though_it_came_for_a_visit() {
    let cluster = Cluster::builder().conf("pg_net.worker_idle_timeout", "2s").start_ready();
    let mut app = create(&cluster, "app");
    let mut admin = cluster.connect();
    // Somewhere on the visitor's way.
    for statements in [0, 4, 8, 16] {
        wait_for_workers_in(&mut app, &["postgres"]);
        admin.batch_execute("alter database app allow_connections true").unwrap();
        (0..statements).for_each(|_| app.batch_execute("select 1").unwrap());
        app.batch_execute("select net.wait_until_running()").unwrap();
        // Time itself is what this is about: far more than a visit takes, far less than a worker with nothing to do stays.
        thread::sleep(Duration::from_millis(200));
        assert_eq!(served(&mut app), ["app", "postgres"], "after {statements}");
    }
}

#[test]
fn a_restart_concerns_the_worker_of_the_callers_database() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    assert_works(&mut app, &receiver);
    let (own, other) = (cluster.worker_pid_in(&mut app, "app"), cluster.worker_pid_in(&mut app, "postgres"));
    app.batch_execute("select net.worker_restart()").unwrap();
    app.batch_execute("select net.wait_until_running()").unwrap();
    assert_ne!(cluster.worker_pid_in(&mut app, "app"), own);
    assert_eq!(cluster.worker_pid_in(&mut app, "postgres"), other);
    assert_works(&mut app, &receiver);
}

/// As whom it connects was settled when it was started.
#[test]
fn a_restart_reaches_a_worker_that_is_on_its_way() {
    // What delays sessions delays workers too, before they do anything else.
    let cluster = Cluster::builder()
        .conf("post_auth_delay", "1")
        .conf("pg_net.worker_idle_timeout", "10min")
        .conf("pg_net.paused", "on")
        .start_ready();
    let mut app = create(&cluster, "app");
    app.batch_execute("create role sender login superuser").unwrap();
    super::queue(&mut app, "http://127.0.0.1:1/", 1);
    wait_until("the process of a worker", PATIENCE, || cluster.has_process("pg_net worker"));
    cluster.set_in_file("pg_net.username", "sender");
    cluster.wait_for_log("parameter \"pg_net.username\" changed to \"sender\"");
    assert!(!served(&mut app).contains(&"app".into()), "the restart is asked for while it starts");
    app.batch_execute("select net.worker_restart()").unwrap();
    app.batch_execute("select net.wait_until_running()").unwrap();
    let who = "select coalesce(string_agg(usename, ', '), '') from pg_stat_activity
                where application_name like 'pg\\_net %' and datname = 'app'";
    wait_until("the role of the settings", PATIENCE, || value::<String>(&mut app, who) == "sender");
}

/// A worker that was started on demand, with twenty requests in flight until the gate is released.
fn amid_requests() -> (Cluster, Receiver, Client, Gate) {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    let gate = receiver.hold("/held");
    super::queue(&mut app, &receiver.url("/held"), 20);
    receiver.wait_for(20);
    (cluster, receiver, app, gate)
}

#[test]
fn a_worker_started_on_demand_and_terminated_amid_requests_loses_none() {
    let (cluster, receiver, mut app, gate) = amid_requests();
    let pid = cluster.worker_pid_in(&mut app, "app");
    assert!(value::<bool>(&mut app, &format!("select pg_terminate_backend({pid})")));
    wait_until("another worker's requests", PATIENCE, || receiver.count() == 40);
    gate.release();
    super::assert_all_answered(&mut app, 20);
    assert_ne!(cluster.worker_pid_in(&mut app, "app"), pid);
}

#[test]
fn a_worker_started_on_demand_and_killed_amid_requests_loses_none() {
    let (cluster, receiver, mut app, gate) = amid_requests();
    kill(cluster.worker_pid_in(&mut app, "app"));
    // No statement asks for it.
    receiver.wait_for(40);
    gate.release();
    let mut app = cluster.connect_as("postgres", "app");
    super::assert_all_answered(&mut app, 20);
}

/// No session runs a statement there meanwhile.
#[test]
fn responses_expire_in_a_database_whose_worker_has_left() {
    let cluster =
        Cluster::builder().conf("pg_net.worker_idle_timeout", "100ms").conf("pg_net.ttl", "3 seconds").start_ready();
    let receiver = Receiver::start();
    let mut app = create(&cluster, "app");
    assert_works(&mut app, &receiver);
    wait_for_workers_in(&mut app, &["postgres"]);
    assert_eq!(value::<i64>(&mut app, "select count(*) from net._http_response"), 1);
    wait_until("the response's end", PATIENCE, || {
        value::<i64>(&mut app, "select count(*) from net._http_response") == 0
    });
    wait_for_workers_in(&mut app, &["postgres"]);
}
