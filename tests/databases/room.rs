//! All of `max_worker_processes` is taken, by parallel queries for example: the first database is served all the same, the
//! others as soon as there is room.

use std::thread::JoinHandle;

use postgres::Client;
use testkit::{Builder, Cluster, PATIENCE, Receiver, terminate, wait_until};

use super::{assert_all_answered, create, lines, queue, wait_for_workers_in};
use crate::fixture::{assert_works, value};

/// A server with room for so many processes beside the worker of the first database and the launcher.
fn with_room_for(processes: usize) -> Builder {
    // The launcher of logical replication takes one, and comes first.
    Cluster::builder()
        .conf("max_logical_replication_workers", "0")
        .conf("max_worker_processes", &(processes + 2).to_string())
        .conf("pg_net.worker_idle_timeout", "200ms")
}

/// Parallel queries that take all the room there is, until they are cancelled.
struct Crowd {
    leaders: Vec<i32>,
    threads: Vec<JoinHandle<()>>,
}

impl Crowd {
    fn start(cluster: &Cluster, processes: usize) -> Self {
        let mut observer = cluster.connect();
        let mut crowd = Self { leaders: Vec::new(), threads: Vec::new() };
        for number in 1..=processes {
            let mut client = cluster.connect();
            let always = "select count(set_config(name, 'on', false)) from pg_settings
                           where name in ('force_parallel_mode', 'debug_parallel_query')";
            assert_eq!(value::<i64>(&mut client, always), 1);
            crowd.leaders.push(value(&mut client, "select pg_backend_pid()"));
            crowd.threads.push(std::thread::spawn(move || drop(client.batch_execute("select pg_sleep(600)"))));
            wait_until("a parallel worker", PATIENCE, || parallel_workers(&mut observer) == number as i64);
        }
        crowd
    }

    fn end(self, client: &mut Client) {
        for leader in self.leaders {
            assert!(value::<bool>(client, &format!("select pg_cancel_backend({leader})")));
        }
        self.threads.into_iter().for_each(|thread| thread.join().unwrap());
        wait_until("the end of the parallel workers", PATIENCE, || parallel_workers(client) == 0);
    }
}

fn parallel_workers(client: &mut Client) -> i64 {
    value(client, "select count(*) from pg_stat_activity where backend_type = 'parallel worker'")
}

#[test]
fn the_first_database_is_served_and_the_others_when_there_is_room_again() {
    let cluster = with_room_for(2).start_ready();
    let receiver = Receiver::start();
    let mut first = cluster.connect();
    let mut others = ["a", "b"].map(|name| create(&cluster, name));
    for client in &mut others {
        assert_works(client, &receiver);
    }
    wait_for_workers_in(&mut first, &["postgres"]);
    let crowd = Crowd::start(&cluster, 2);
    for client in &mut others {
        queue(client, &receiver.url("/later"), 5);
    }
    cluster.wait_for_log("wait for a worker, since max_worker_processes is 4");
    assert_works(&mut first, &receiver);
    // Its place is reserved: no other process takes it while it restarts.
    let before = cluster.worker_pid(&mut first);
    terminate(before);
    wait_until("another worker", PATIENCE, || cluster.worker_pid(&mut first) != before);
    assert_works(&mut first, &receiver);
    assert!(receiver.requests().iter().all(|request| request.path() != "/later"));

    crowd.end(&mut first);
    for client in &mut others {
        assert_all_answered(client, 5 + 1);
    }
    assert_eq!(lines(&cluster, &["max_worker_processes is 4"]), 1, "{}", cluster.log());
}

#[test]
fn one_process_serves_all_but_the_first_database_in_turns() {
    // A worker that stayed as long as it may would keep the others waiting.
    let cluster = with_room_for(1).conf("pg_net.worker_idle_timeout", "10min").start_ready();
    let receiver = Receiver::start();
    let mut clients = vec![cluster.connect()];
    clients.extend(["a", "b", "c"].map(|name| create(&cluster, name)));
    for round in 1..=2 {
        for client in &mut clients {
            queue(client, &receiver.url("/x"), 50);
        }
        for client in &mut clients {
            assert_all_answered(client, 50 * round);
        }
    }
    assert_eq!(receiver.count(), 400);
}

/// There is no launcher, and no visitor to find out whether it can connect.
#[test]
fn with_room_for_nothing_else_the_first_database_is_served() {
    let cluster =
        Cluster::builder().conf("max_logical_replication_workers", "0").conf("max_worker_processes", "1").start_ready();
    let receiver = Receiver::start();
    let mut first = cluster.connect();
    assert_works(&mut first, &receiver);
    assert_eq!(cluster.process_pid("pg_net launcher"), None);
    let before = cluster.worker_pid(&mut first);
    terminate(before);
    wait_until("another worker", PATIENCE, || cluster.worker_pid(&mut first) != before);
    assert_works(&mut first, &receiver);
}

/// With a launcher but no room for a visitor, the worker of the first database finds out by itself that what was in its way is
/// gone, and does not try every second meanwhile.
#[test]
fn without_a_visitor_the_first_databases_worker_tries_by_itself() {
    let cluster = with_room_for(0).conf("pg_net.database_name", "later").start();
    let mut admin = cluster.connect();
    cluster.wait_for_log("database \"later\" does not exist");
    // Time itself is what this is about.
    std::thread::sleep(std::time::Duration::from_secs(4));
    assert!(lines(&cluster, &["FATAL", "later"]) <= 2, "{}", cluster.log());
    admin.batch_execute("create database later").unwrap();
    let mut later = cluster.connect_as("postgres", "later");
    later.batch_execute("create extension pg_net").unwrap();
    assert_works(&mut later, &Receiver::start());
}

/// The same where a visitor has seen what was in the way, and there is none to see that it is gone.
#[test]
fn a_visitor_that_finds_no_room_leaves_the_first_databases_worker_to_itself() {
    let cluster = with_room_for(1).conf("pg_net.database_name", "later").start();
    cluster.wait_for_log("database \"later\" does not exist; the worker waits");
    let crowd = Crowd::start(&cluster, 1);
    let mut later = create(&cluster, "later");
    assert_works(&mut later, &Receiver::start());
    assert_eq!(cluster.worker_pid_in(&mut later, "later"), cluster.process_pid("pg_net").unwrap());
    crowd.end(&mut later);
}
