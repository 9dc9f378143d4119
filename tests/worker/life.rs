//! The worker's life: where it shows, what ends it, how it comes back.

use std::time::{Duration, Instant};

use testkit::{Call, Cluster, PATIENCE, Receiver, Shutdown, responses, wait_until};

use crate::fixture::{Fixture, allow_at_most, assert_works, error_of};

#[test]
fn the_worker_shows_in_pg_stat_activity() {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    let workers = "select application_name, datname, state in ('idle', 'active'), backend_type
                     from pg_stat_activity where backend_type = 'pg_net'";
    let row = fixture.client.query_one(workers, &[]).expect("exactly one worker");
    assert_eq!(row.get::<_, &str>(0), concat!("pg_net ", env!("CARGO_PKG_VERSION")));
    assert_eq!(row.get::<_, &str>(1), "postgres");
    assert!(row.get::<_, bool>(2));
}

#[test]
fn a_terminated_worker_comes_back_and_goes_on() {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    let before = fixture.cluster.worker_pid(&mut fixture.client);
    assert!(fixture.value::<bool>(&format!("select pg_terminate_backend({before})")));
    let url = fixture.receiver.url("/after");
    assert_eq!(fixture.fetch(Call::get(&url)).status_code, Some(200));
    fixture.received("/after");
    assert_ne!(fixture.cluster.worker_pid(&mut fixture.client), before);
}

/// What is under way gets up to a second; what is then still open is sent again after the restart.
#[test]
fn a_worker_terminated_amid_requests_loses_none() {
    let mut fixture = Fixture::new();
    let [gate, soon] = ["/held", "/soon"].map(|path| fixture.receiver.hold(path));
    let [held, short] = ["/held", "/soon"].map(|path| fixture.receiver.url(path));
    fixture
        .client
        .batch_execute(&format!(
            "select net.http_get('{held}?n=' || n, timeout_milliseconds := 60000) from generate_series(1, 20) as n;
             select net.http_get('{short}?n=' || n, timeout_milliseconds := 60000) from generate_series(1, 5) as n"
        ))
        .unwrap();
    fixture.receiver.wait_for(25);
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    fixture.value::<bool>(&format!("select pg_terminate_backend({pid})"));
    soon.release();
    wait_until("the worker's end", PATIENCE, || !testkit::is_running(pid));
    gate.release();
    let answers = responses(&mut fixture.client, 25);
    assert_eq!(answers.len(), 25);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{answers:?}");
    let times = |path: &str| fixture.receiver.requests().iter().filter(|request| request.path() == path).count();
    assert_eq!(times("/held"), 40, "each of those still open is sent again");
    assert_eq!(times("/soon"), 5, "those that ended in time are not");
    let log = fixture.cluster.log();
    assert!(log.lines().any(|line| line.contains("pg_net") && line.contains("20")), "the log counts them:\n{log}");
}

/// Outcomes could not be stored yet, as a session holds the responses locked: it does not wait for its next attempt.
#[test]
fn a_worker_terminated_while_outcomes_pile_up_records_them_first() {
    const EACH: usize = 600;
    let cluster = Cluster::builder()
        .conf("pg_net.max_in_flight", "2000")
        .conf("pg_net.max_in_flight_per_origin", "2000")
        .start_ready();
    let mut fixture = Fixture::with(cluster);
    fixture.assert_works();
    let mut locker = fixture.cluster.connect();
    locker.batch_execute("begin; lock table net._http_response in access exclusive mode").unwrap();
    for delivery in ["at_least_once", "at_most_once"] {
        let url = fixture.receiver.url(&format!("/{delivery}"));
        fixture.send_times(Call::request("GET", &url).delivery(delivery), EACH);
    }
    fixture.receiver.wait_for(1 + 2 * EACH);
    fixture.cluster.wait_for_log("could not store responses, and will try again");
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    fixture.value::<bool>(&format!("select pg_terminate_backend({pid})"));
    locker.batch_execute("rollback").unwrap();
    wait_until("the worker's end", PATIENCE, || !testkit::is_running(pid));

    let answers = responses(&mut fixture.client, 1 + 2 * EACH);
    assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "each has its own outcome");
    fixture.assert_works();
    assert_eq!(fixture.receiver.count(), 2 + 2 * EACH, "none is sent again");
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response"), 2 + 2 * EACH as i64);
    assert_eq!(fixture.value::<i64>("select count(distinct id) from net._http_response"), 2 + 2 * EACH as i64);
    assert!(!fixture.cluster.log().contains("the worker stops with"), "nothing is left");
}

#[test]
fn a_restart_that_was_asked_for_happens_at_commit() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, PATIENCE);
    let before = fixture.cluster.worker_pid(&mut fixture.client);
    fixture.client.batch_execute("begin; select net.worker_restart(); rollback").unwrap();
    fixture.assert_works();
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), before);

    fixture.client.batch_execute("begin").unwrap();
    assert!(fixture.value::<bool>("select net.worker_restart()"));
    assert_works(&mut fixture.cluster.connect(), &fixture.receiver);
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), before);
    fixture.client.batch_execute("commit; select net.wait_until_running(); select net.check_worker_is_up()").unwrap();
    assert_ne!(fixture.cluster.worker_pid(&mut fixture.client), before);
    fixture.assert_works();
}

#[test]
fn wait_until_running_ends_at_once_with_a_worker_and_can_be_cancelled_without() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, PATIENCE);
    fixture.client.batch_execute("select net.wait_until_running()").unwrap();
    fixture.client.batch_execute("select net.check_worker_is_up()").unwrap();

    let cluster = Cluster::builder().conf("pg_net.username", "nobody").start_ready();
    let mut client = cluster.connect();
    let (_, message) = error_of(&mut client, "select net.check_worker_is_up()");
    assert_eq!(message, "the pg_net background worker is not up");
    client.batch_execute("set statement_timeout = '300ms'").unwrap();
    assert_eq!(error_of(&mut client, "select net.wait_until_running()").0, "57014");
}

#[test]
fn a_missing_first_database_is_logged_once_and_others_are_served() {
    let cluster = Cluster::builder().conf("pg_net.database_name", "nowhere").start_ready();
    let mut client = cluster.connect();
    assert_works(&mut client, &Receiver::start());
    client.batch_execute("select net.check_worker_is_up()").unwrap();
    cluster.wait_for_log("the worker waits");

    // Time itself is what this is about: a worker that tried every second would have said so several times.
    std::thread::sleep(Duration::from_secs(4));
    let log = cluster.log();
    let lines = |level: &str| log.lines().filter(|line| line.contains("nowhere") && line.contains(level)).count();
    assert_eq!((lines("FATAL:"), lines("LOG:")), (1, 1), "the attempt that failed, and what is made of it:\n{log}");

    client.batch_execute("create database nowhere").unwrap();
    let mut client = cluster.connect_as("postgres", "nowhere");
    allow_at_most(&mut client, PATIENCE);
    client.batch_execute("create extension pg_net; select net.worker_restart()").unwrap();
    // After the commit, with which the restart comes.
    client.batch_execute("select net.wait_until_running()").unwrap();
    client.batch_execute("select net.check_worker_is_up()").unwrap();
    assert_works(&mut client, &Receiver::start());
}

#[test]
fn the_queue_outlives_a_restart_of_the_server() {
    for how in [Shutdown::Fast, Shutdown::Immediate] {
        let mut fixture = Fixture::new();
        fixture.cluster.alter_system("pg_net.paused", "on");
        let url = fixture.receiver.url("/kept");
        let id = fixture.send(Call::get(&url));
        fixture.client.batch_execute("alter system set pg_net.paused = off").unwrap();
        fixture.cluster.stop(how);
        assert_eq!(fixture.receiver.count(), 0);
        fixture.cluster.start();
        fixture.client = fixture.cluster.connect();
        assert_eq!(fixture.response(id).status_code, Some(200), "{how:?}");
        fixture.received("/kept");
    }
}

#[test]
fn a_restart_of_the_server_is_not_held_up() {
    let mut fixture = Fixture::new();
    let _gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    fixture.send(Call::get(&url).timeout(60_000));
    fixture.received("/held");
    let start = Instant::now();
    fixture.cluster.stop(Shutdown::Fast);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(5), "a fast shutdown took {took:?}");
    fixture.cluster.start();
    fixture.receiver.wait_for(2);
}

#[test]
fn autovacuum_and_autoanalyze_see_the_workers_writes() {
    let cluster = Cluster::builder().conf("autovacuum_naptime", "1s").start_ready();
    let mut fixture = Fixture::with(cluster);
    for table in ["net.http_request_queue", "net._http_response"] {
        let often = "autovacuum_analyze_threshold = 3, autovacuum_analyze_scale_factor = 0,
                     autovacuum_vacuum_threshold = 3, autovacuum_vacuum_scale_factor = 0";
        fixture.client.batch_execute(&format!("alter table {table} set ({often})")).unwrap();
    }
    for _ in 0..5 {
        fixture.assert_works();
    }
    wait_until("the worker's writes in the statistics", PATIENCE, || {
        fixture.value::<bool>(
            "select (select n_tup_ins from pg_stat_user_tables where relname = '_http_response') = 5
                and (select n_tup_del from pg_stat_user_tables where relname = 'http_request_queue') = 5",
        )
    });
    wait_until("autovacuum and autoanalyze", PATIENCE, || {
        fixture.value::<bool>(
            "select (select last_autoanalyze from pg_stat_user_tables where relname = '_http_response') is not null
                and (select last_autovacuum from pg_stat_user_tables where relname = 'http_request_queue') is not null",
        )
    });
    assert_eq!(fixture.receiver.count(), 5);
}

#[test]
fn the_worker_stays_up_in_a_database_with_a_foreign_schema_net() {
    let cluster = Cluster::builder().start();
    let mut client = cluster.connect();
    client.batch_execute("create schema net; create table net._http_response (x int)").unwrap();
    let pid = cluster.worker_pid(&mut client);
    client.batch_execute("drop schema net cascade; create extension pg_net").unwrap();
    assert_works(&mut client, &Receiver::start());
    assert_eq!(cluster.worker_pid(&mut client), pid);
}

/// A lock that a session holds keeps the worker waiting, a second at a time, but not from being stopped.
#[test]
fn a_locked_table_keeps_the_worker_from_neither_cancels_nor_its_end() {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    let before = fixture.cluster.worker_pid(&mut fixture.client);
    let mut holder = fixture.cluster.connect();
    let mut transaction = holder.transaction().unwrap();
    transaction.batch_execute("lock table net._http_response").unwrap();
    let url = fixture.receiver.url("/locked");
    let id = fixture.send(Call::get(&url));
    let at_the_lock = "select exists (select from pg_stat_activity where backend_type ilike '%pg_net%'
                                         and state = 'active' and wait_event_type = 'Lock')";
    wait_until("the worker at the lock", PATIENCE, || fixture.value::<bool>(at_the_lock));
    fixture.cluster.wait_for_log("canceling statement due to lock timeout");
    // A cancel, while it waits for a lock and while it does not, is nothing to it.
    for is_waiting in [false, true] {
        wait_until("the worker at the lock, and not", PATIENCE, || fixture.value::<bool>(at_the_lock) == is_waiting);
        for _ in 0..10 {
            assert!(fixture.value::<bool>(&format!("select pg_cancel_backend({before})")));
        }
    }
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), before);

    let terminated = Instant::now();
    assert!(fixture.value::<bool>(&format!("select pg_terminate_backend({before})")));
    wait_until("the worker's end", PATIENCE, || !testkit::is_running(before));
    let took = terminated.elapsed();
    assert!(took < Duration::from_secs(4), "it ended after {took:?}");
    transaction.commit().unwrap();
    assert_eq!(fixture.response(id).status_code, Some(200));
    // The first outcome could not be recorded, so it was sent again.
    assert_eq!(fixture.receiver.wait_for(3).len(), 3);
}

/// While it waits for a lock it waits for its latch, too, and takes what was meant to wake it for the lock.
#[test]
fn a_request_made_while_the_worker_waits_for_a_lock_is_sent() {
    let mut fixture = Fixture::with(Cluster::builder().conf("pg_net.ttl", "1 second").start_ready());
    fixture.assert_works();
    let mut holder = fixture.cluster.connect();
    let mut transaction = holder.transaction().unwrap();
    transaction.batch_execute("lock table net._http_response").unwrap();
    wait_until("the worker at the lock, to remove the response", PATIENCE, || {
        fixture.value::<bool>(
            "select exists (select from pg_stat_activity where backend_type ilike '%pg_net%'
                               and wait_event_type = 'Lock' and query ~ 'expired')",
        )
    });
    let url = fixture.receiver.url("/meanwhile");
    fixture.send(Call::get(&url));
    transaction.commit().unwrap();
    fixture.received("/meanwhile");
}

/// An operator may well lock, truncate or rewrite the tables while requests are under way.
#[test]
fn requests_under_way_block_no_vacuum_and_no_truncate() {
    let mut fixture = Fixture::new();
    allow_at_most(&mut fixture.client, Duration::from_secs(5));
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let id = fixture.send(Call::get(&url).timeout(60_000));
    fixture.received("/held");
    fixture.client.batch_execute("vacuum full net.http_request_queue").unwrap();
    fixture.client.batch_execute("vacuum full net._http_response").unwrap();
    fixture.client.batch_execute("truncate net._http_response").unwrap();
    gate.release();
    assert_eq!(fixture.response(id).status_code, Some(200));

    let gate = fixture.receiver.hold("/dropped");
    let url = fixture.receiver.url("/dropped");
    fixture.send(Call::get(&url).timeout(60_000));
    fixture.received("/dropped");
    fixture.client.batch_execute("truncate net.http_request_queue restart identity").unwrap();
    gate.release();
    // Its row is gone, so its outcome is dropped; the id comes again, and is another request's.
    let url = fixture.receiver.url("/status/202");
    let again = fixture.send(Call::get(&url));
    assert_eq!(again, 1);
    fixture.received("/status/202");
    wait_until("the second request's response", PATIENCE, || {
        fixture.value::<i64>("select count(*) from net._http_response where status_code = 202") == 1
    });
    fixture.assert_works();
    assert_eq!(fixture.value::<i64>("select count(*) from net._http_response where content = 'ok' and id > 1"), 1);
}
