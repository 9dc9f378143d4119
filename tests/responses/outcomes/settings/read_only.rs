//! `default_transaction_read_only`: the database is not to be written to, and so nothing is sent that would have to be recorded.

use postgres::Client;
use testkit::{Call, Cluster, PATIENCE, Receiver, responses, wait_until};

use crate::fixture::{Fixture, value};

const TOLD: &str = "new transactions in this database are read only";

/// Makes requests in spite of it.
#[track_caller]
fn queue(client: &mut Client, url: &str, count: usize) {
    let call = Call::get(url).timeout(20_000).select_times(count);
    client.batch_execute(&format!("begin read write; {call}; commit")).unwrap();
}

/// Runs statements one by one: ALTER SYSTEM must be alone in its message.
#[track_caller]
fn run(client: &mut Client, statements: &str) {
    for statement in statements.split("; ") {
        client.batch_execute(statement).unwrap_or_else(|error| panic!("{statement}: {error:?}"));
    }
}

fn told(cluster: &Cluster) -> usize {
    cluster.log().matches(TOLD).count()
}

#[test]
fn case_17c_where_the_database_is_read_only_nothing_is_claimed() {
    let ways = [
        (
            "alter system set default_transaction_read_only = on; select pg_reload_conf()",
            "alter system reset default_transaction_read_only; select pg_reload_conf()",
        ),
        (
            "alter database postgres set default_transaction_read_only = on",
            "alter database postgres reset default_transaction_read_only",
        ),
        ("alter database postgres set default_transaction_read_only = 'true'", "alter database postgres reset all"),
        ("alter role all set default_transaction_read_only = on", "alter role all reset default_transaction_read_only"),
        (
            "alter role robot in database postgres set default_transaction_read_only = on",
            "alter role robot in database postgres reset default_transaction_read_only",
        ),
        (
            "alter role robot set default_transaction_read_only = on",
            "alter role robot set default_transaction_read_only = off",
        ),
    ];
    let cluster = Cluster::builder().conf("pg_net.username", "robot").start();
    let mut client = cluster.connect();
    client.batch_execute("create role robot superuser login; create extension pg_net").unwrap();
    let mut fixture = Fixture::with(cluster);
    fixture.assert_works();
    let worker = fixture.cluster.worker_pid(&mut client);
    for (round, (on, off)) in ways.into_iter().enumerate() {
        client.batch_execute("begin read write; truncate net._http_response; commit").unwrap();
        let (held, later) = (format!("/held/{round}"), format!("/later/{round}"));
        let gate = fixture.receiver.hold(&held);
        queue(&mut client, &fixture.receiver.url(&held), 5);
        fixture.receiver.wait_for(round * 10 + 6);

        run(&mut client, on);
        wait_until(on, PATIENCE, || told(&fixture.cluster) > round);
        queue(&mut client, &fixture.receiver.url(&later), 5);
        gate.release();
        // What was under way is recorded.
        let answers = responses(&mut client, 5);
        assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{on}");
        client.batch_execute("begin read write; select net.wake(); commit").unwrap();
        // Time itself is what this is about.
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(fixture.receiver.count(), round * 10 + 6, "{on}");
        assert_eq!(value::<i64>(&mut client, "select count(*) from net.http_request_queue"), 5, "{on}");
        assert_eq!(told(&fixture.cluster), round + 1, "{on}: said once");

        run(&mut client, off);
        let answers = responses(&mut client, 10);
        assert!(answers.iter().all(|answer| answer.status_code == Some(200)), "{off}");
        assert_eq!(fixture.receiver.count(), round * 10 + 11, "{off}");
    }
    assert_eq!(fixture.cluster.worker_pid(&mut client), worker);
    fixture.assert_works();
}

/// Also where the worker finds it so when it starts, and by whatever it was given then that is there no more.
#[test]
fn case_17c_a_worker_that_starts_in_a_read_only_database_waits_until_that_is_lifted() {
    for (on, off) in [
        ("alter database postgres set default_transaction_read_only = on", "alter database postgres reset all"),
        ("alter role postgres set default_transaction_read_only = on", "alter role postgres reset all"),
        (
            "alter system set default_transaction_read_only = on",
            "alter system reset default_transaction_read_only; select pg_reload_conf()",
        ),
    ] {
        let mut fixture = Fixture::new();
        fixture.assert_works();
        run(&mut fixture.client, on);
        fixture.client.batch_execute("select net.worker_restart()").unwrap();
        fixture.client.batch_execute("select net.wait_until_running()").unwrap();
        wait_until(on, PATIENCE, || told(&fixture.cluster) > 0);
        let url = fixture.receiver.url("/waits");
        queue(&mut fixture.client, &url, 3);
        // Time itself is what this is about.
        std::thread::sleep(std::time::Duration::from_millis(300));
        assert_eq!(fixture.receiver.count(), 1, "{on}");
        run(&mut fixture.client, off);
        responses(&mut fixture.client, 4);
        assert_eq!(fixture.receiver.count(), 4, "{off}");
    }
}

/// In a database whose worker comes on demand, and has gone meanwhile.
#[test]
fn case_17c_a_worker_that_left_a_read_only_database_comes_again() {
    let cluster = Cluster::builder().conf("pg_net.worker_idle_timeout", "100ms").start_ready();
    let receiver = Receiver::start();
    let mut client = cluster.connect();
    client.batch_execute("create database app").unwrap();
    let mut app = cluster.connect_as("postgres", "app");
    app.batch_execute("create extension pg_net").unwrap();
    let workers = "select count(*) from pg_stat_activity where backend_type ilike '%pg_net%'";
    for (round, (on, off)) in [
        ("alter database app set default_transaction_read_only = on", "alter database app reset all"),
        (
            "alter system set default_transaction_read_only = on; select pg_reload_conf()",
            "alter system reset default_transaction_read_only; select pg_reload_conf()",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        run(&mut client, on);
        wait_until("a worker that sees it", PATIENCE, || {
            queue(&mut app, &receiver.url("/app"), 0);
            app.batch_execute("begin read write; select net.wake(); commit").unwrap();
            told(&cluster) > 2 * round
        });
        queue(&mut app, &receiver.url("/app"), 5);
        wait_until("the end of the worker", PATIENCE, || value::<i64>(&mut client, workers) == 1);
        assert_eq!(receiver.count(), round * 5);
        run(&mut client, off);
        responses(&mut app, round * 5 + 5);
        assert_eq!(receiver.count(), round * 5 + 5, "{off}");
    }
}
