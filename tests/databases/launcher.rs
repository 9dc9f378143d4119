//! The launcher, and the visitor that looks for it: where they show, and what becomes of requests when they end.

use std::time::{Duration, Instant};

use postgres::Client;
use testkit::{Cluster, PATIENCE, Receiver, kill, terminate, wait_until};

use super::{assert_all_answered, create, queue, served, wait_for_workers_in};
use crate::fixture::{allow_at_most, assert_works, error_of, value};

const LAUNCHER: &str = "pg_net launcher";
const VISITOR: &str = "pg_net visitor";
const HOME: &str = "pg_net";

/// How long the launcher waits after the first visitor that did not come to its end.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// The process id of the launcher, once it runs.
fn launcher(cluster: &Cluster) -> i32 {
    wait_until("the launcher", PATIENCE, || cluster.process_pid(LAUNCHER))
}

/// Waits until a process of this name runs that is another one. No session connects meanwhile, so nothing wakes the postmaster.
fn wait_for_another(cluster: &Cluster, name: &str, before: i32) {
    wait_until(&format!("another {name}"), PATIENCE, || cluster.process_pid(name).is_some_and(|pid| pid != before));
}

/// A server whose workers leave soon, and a database beside the first one, without a worker.
fn with_a_database_at_rest() -> (Cluster, Client) {
    let cluster = Cluster::builder().conf("pg_net.worker_idle_timeout", "200ms").start_ready();
    let mut app = create(&cluster, "app");
    assert_works(&mut app, &Receiver::start());
    wait_for_workers_in(&mut app, &["postgres"]);
    (cluster, app)
}

#[test]
fn the_launcher_is_in_no_list_of_sessions_and_the_visitor_leaves() {
    let (cluster, mut app) = with_a_database_at_rest();
    let launcher = launcher(&cluster);
    wait_until("the visitor's end", PATIENCE, || !cluster.has_process(VISITOR));
    let listed =
        format!("select count(*) from pg_stat_activity where pid = {launcher} or backend_type like '%pg\\_net%'");
    assert_eq!(value::<i64>(&mut app, &listed), 1, "the worker of the first database alone");
    let named = "select count(*) from pg_stat_activity where application_name like '%pg_net%'";
    assert_eq!(value::<i64>(&mut app, named), 1);
}

#[test]
fn a_launcher_that_was_terminated_comes_back_though_nothing_else_happens() {
    let (cluster, mut app) = with_a_database_at_rest();
    let receiver = Receiver::start();
    for _ in 0..3 {
        let before = launcher(&cluster);
        terminate(before);
        wait_for_another(&cluster, LAUNCHER, before);
    }
    assert_works(&mut app, &receiver);
    assert_works(&mut cluster.connect(), &receiver);
}

#[test]
fn the_first_databases_worker_comes_back_though_nothing_else_happens() {
    let (cluster, _app) = with_a_database_at_rest();
    for _ in 0..3 {
        let before = wait_until("the worker", PATIENCE, || cluster.process_pid(HOME));
        terminate(before);
        wait_for_another(&cluster, HOME, before);
    }
    wait_for_workers_in(&mut cluster.connect(), &["postgres"]);
}

#[test]
fn what_is_requested_while_there_is_no_launcher_is_sent() {
    let (cluster, mut app) = with_a_database_at_rest();
    let receiver = Receiver::start();
    let before = launcher(&cluster);
    terminate(before);
    wait_until("the launcher's end", PATIENCE, || !testkit::is_running(before));
    queue(&mut app, &receiver.url("/app"), 5);
    queue(&mut cluster.connect(), &receiver.url("/postgres"), 5);
    assert_all_answered(&mut app, 5 + 1);
    assert_all_answered(&mut cluster.connect(), 5);
    assert_eq!(receiver.count(), 10);
}

/// The server restarts all of its processes.
#[test]
fn a_launcher_killed_amid_requests_in_two_databases_comes_back_and_none_is_lost() {
    let cluster = Cluster::start_default();
    let receiver = Receiver::start();
    let gate = receiver.hold("/held");
    queue(&mut create(&cluster, "app"), &receiver.url("/held"), 20);
    queue(&mut cluster.connect(), &receiver.url("/held"), 20);
    receiver.wait_for(40);
    kill(launcher(&cluster));
    // No statement asks for it.
    receiver.wait_for(80);
    gate.release();
    for name in ["app", "postgres"] {
        assert_all_answered(&mut cluster.connect_as("postgres", name), 20);
    }
}

#[test]
fn a_launcher_terminated_during_a_drop_leaves_the_drop_and_the_other_databases_alone() {
    let (cluster, mut app) = with_a_database_at_rest();
    let receiver = Receiver::start();
    queue(&mut app, &receiver.url("/app"), 1);
    receiver.wait_for(1);
    for succeeds in [false, true] {
        let mut admin = cluster.connect();
        allow_at_most(&mut admin, PATIENCE);
        let before = launcher(&cluster);
        std::thread::scope(|scope| {
            // It waits for a few seconds for this session to leave.
            let session = cluster.connect_as("postgres", "app");
            let drop = scope.spawn(move || admin.batch_execute("drop database app"));
            let waits =
                "select exists (select from pg_stat_activity where query = 'drop database app' and state = 'active')";
            let mut observer = cluster.connect();
            wait_until("the drop", PATIENCE, || value::<bool>(&mut observer, waits));
            terminate(before);
            wait_for_another(&cluster, LAUNCHER, before);
            assert_works(&mut observer, &receiver);
            if succeeds {
                app.batch_execute("select 1").unwrap();
                app.batch_execute("select pg_terminate_backend(pg_backend_pid())").unwrap_err();
                session.close().unwrap();
                drop.join().unwrap().expect("the drop succeeds once the sessions have left");
            } else {
                assert_eq!(drop.join().unwrap().unwrap_err().code().unwrap().code(), "55006");
                assert_works(&mut app, &receiver);
            }
        });
    }
    let mut app = create(&cluster, "app");
    assert_works(&mut app, &receiver);
}

/// It cannot tell yet which database is its own, and waits until a visitor has.
#[test]
fn the_first_databases_worker_comes_back_while_another_database_is_dropped() {
    let (cluster, _app) = with_a_database_at_rest();
    let mut admin = cluster.connect();
    let drop = std::thread::spawn(move || error_of(&mut admin, "drop database app"));
    let before = cluster.process_pid(HOME).expect("the worker");
    terminate(before);
    wait_for_another(&cluster, HOME, before);
    let mut client = cluster.connect();
    wait_for_workers_in(&mut client, &["postgres"]);
    assert_works(&mut client, &Receiver::start());
    assert_eq!(drop.join().unwrap().0, "55006");
}

/// One that waits for a lock gives up, one that is ended does not count: another one comes.
#[test]
fn a_visitor_that_does_not_come_to_its_end_is_followed_by_another() {
    let (cluster, mut app) = with_a_database_at_rest();
    let receiver = Receiver::start();
    let mut holder = cluster.connect();
    let mut transaction = holder.transaction().unwrap();
    transaction.batch_execute("lock table pg_database in access exclusive mode").unwrap();
    let since = Instant::now();
    queue(&mut app, &receiver.url("/app"), 5);
    for _ in 0..2 {
        terminate(wait_until("a visitor", PATIENCE, || cluster.process_pid(VISITOR)));
    }
    cluster.wait_for_log("could not look for databases, and will try again");
    // Time itself is what this is about: attempts without a pause would show in the log, one a second.
    std::thread::sleep(Duration::from_secs(8));
    let said = super::lines(&cluster, &["could not look for databases"]) as u32;
    // The pauses between so many, which double.
    let pauses = FIRST_PAUSE * ((1 << said.saturating_sub(1)) - 1);
    assert!(pauses < since.elapsed(), "{said} lines for a pause that doubles:\n{}", cluster.log());
    transaction.rollback().unwrap();
    assert_all_answered(&mut app, 5 + 1);
    assert_eq!(served(&mut cluster.connect()).first().map(String::as_str), Some("app"));
}
