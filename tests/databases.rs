//! Every database of a server, with one worker each while there is something to do.

use postgres::Client;
use testkit::{Cluster, PATIENCE, wait_until};

use crate::fixture::{allow_at_most, value};

mod broken;
mod commands;
mod copies;
mod demand;
mod dropping;
mod dump_restore;
mod launcher;
mod paused;
mod pg_upgrade;
mod promotion;
mod replication;
mod restarts;
mod room;
mod turns;

/// Makes a database with the extension, and connects to it.
fn create(cluster: &Cluster, name: &str) -> Client {
    cluster.connect().batch_execute(&format!("create database {name}")).unwrap();
    let mut client = cluster.connect_as("postgres", name);
    allow_at_most(&mut client, PATIENCE);
    client.batch_execute("create extension pg_net").unwrap();
    client
}

/// The databases that have a worker, in order.
fn served(client: &mut Client) -> Vec<String> {
    // A new process is of no type until the postmaster has noted its pid, which may be when it has run for a while.
    let workers = "select coalesce(datname, '') from pg_stat_activity
                    where backend_type = 'pg_net' or application_name like 'pg\\_net %' order by 1";
    client.query(workers, &[]).unwrap().iter().map(|row| row.get(0)).collect()
}

/// Waits until these databases have a worker, and no other one.
#[track_caller]
fn wait_for_workers_in(client: &mut Client, databases: &[&str]) {
    wait_until(&format!("workers in {databases:?} alone"), PATIENCE, || served(client) == databases);
}

/// Queues so many requests to a URL, each with its number in the query, under one commit.
fn queue(client: &mut Client, url: &str, count: usize) {
    let ask = format!(
        "select net.http_get('{url}?n=' || n, timeout_milliseconds := 60000) from generate_series(1, {count}) as n"
    );
    client.batch_execute(&ask).unwrap();
}

/// Waits until so many requests have been answered, and the queue is empty.
#[track_caller]
fn assert_all_answered(client: &mut Client, count: i64) {
    wait_until(&format!("{count} responses"), 3 * PATIENCE, || {
        value::<i64>(client, "select count(*) from net._http_response where status_code = 200") >= count
    });
    assert_eq!(value::<i64>(client, "select count(*) from net._http_response"), count);
    wait_until("an empty queue", PATIENCE, || value::<i64>(client, "select count(*) from net.http_request_queue") == 0);
}

/// How many lines of the server's log hold all of these.
fn lines(cluster: &Cluster, parts: &[&str]) -> usize {
    cluster.log().lines().filter(|line| parts.iter().all(|part| line.contains(part))).count()
}
