//! More databases with requests than there may be workers: they take turns, and nothing is lost.

use std::time::{Duration, Instant};

use postgres::Client;
use testkit::{Builder, Cluster, PATIENCE, Receiver, wait_until};

use super::{assert_all_answered, create, lines, queue};
use crate::fixture::{allow_at_most, value};

/// Far above what it takes, and what was promised.
const DROP: Duration = Duration::from_secs(1);

#[test]
fn ten_databases_with_a_thousand_requests_each_are_all_served() {
    let cluster = Cluster::builder().conf("max_connections", "100").start_ready();
    let mut admin = cluster.connect();
    assert_eq!(value::<String>(&mut admin, "show max_worker_processes"), "8");
    let receiver = Receiver::start();
    let names: Vec<String> = (0..10).map(|number| format!("tenant{number}")).collect();
    let mut clients: Vec<Client> = names.iter().map(|name| create(&cluster, name)).collect();
    std::thread::scope(|scope| {
        for (client, name) in clients.iter_mut().zip(&names) {
            let url = receiver.url(&format!("/{name}"));
            scope.spawn(move || queue(client, &url, 1000));
        }
    });
    for client in &mut clients {
        assert_all_answered(client, 1000);
    }
    for name in &names {
        let path = format!("/{name}");
        let came = receiver.requests().iter().filter(|request| request.path() == path).count();
        assert_eq!(came, 1000, "{name}");
    }
    assert_eq!(lines(&cluster, &["pg_net.max_workers", "take turns"]), 1, "{}", cluster.log());

    for client in clients {
        client.close().unwrap();
    }
    wait_until("the sessions' end", PATIENCE, || {
        value::<i64>(&mut admin, "select count(*) from pg_stat_activity where backend_type = 'client backend'") == 1
    });
    for name in &names {
        let start = Instant::now();
        admin.batch_execute(&format!("drop database {name}")).unwrap();
        let took = start.elapsed();
        assert!(took < DROP, "{name} took {took:?}");
    }
}

/// Whether all of four databases are served within a bound, and the log says once what to raise.
fn assert_turns(builder: Builder, setting: &str) {
    let cluster = builder.start_ready();
    let receiver = Receiver::start();
    let mut clients = vec![cluster.connect()];
    clients.extend(["a", "b", "c"].map(|name| create(&cluster, name)));
    for round in 1..=2 {
        for client in &mut clients {
            allow_at_most(client, 3 * PATIENCE);
            queue(client, &receiver.url("/x"), 50);
        }
        for client in &mut clients {
            assert_all_answered(client, 50 * round);
        }
    }
    assert_eq!(receiver.count(), 400);
    assert_eq!(lines(&cluster, &[setting, "take turns"]), 1, "{}", cluster.log());
}

#[test]
fn one_worker_serves_all_databases_in_turns() {
    assert_turns(Cluster::builder().conf("pg_net.max_workers", "1"), "pg_net.max_workers is 1");
}

#[test]
fn a_busy_database_makes_room_for_others() {
    let cluster = Cluster::builder().conf("pg_net.max_workers", "2").conf("pg_net.max_in_flight", "5").start_ready();
    let receiver = Receiver::start();
    let mut busy = create(&cluster, "busy");
    let mut other = create(&cluster, "other");
    queue(&mut busy, &receiver.url("/delay/100"), 400);
    receiver.wait_for(10);
    queue(&mut other, &receiver.url("/other"), 1);
    assert_all_answered(&mut other, 1);
    let waiting = value::<i64>(&mut busy, "select count(*) from net.http_request_queue");
    assert!(waiting > 100, "{waiting} of the busy database's requests still wait");
    assert_all_answered(&mut busy, 400);
    assert_eq!(receiver.count(), 401, "nothing is sent twice for making room");
}
