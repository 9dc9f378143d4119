//! Code that users attach to the extension's tables.

mod attaching;
mod cells;
mod kinds;
mod owners;
mod queue_code;
mod recording;
mod rewriting;
mod staging;

use postgres::Client;
use testkit::Cluster;

use crate::fixture::Fixture;

/// The roles of the fixture, and the extension made by a superuser of its own.
fn fixture() -> Fixture {
    let cluster = Cluster::builder().start();
    let mut client = cluster.connect();
    client
        .batch_execute(
            "create role supa superuser login;
             create role app login bypassrls createrole;
             grant pg_read_all_data, pg_monitor, pg_signal_backend to app;
             create role web login;
             create role anon login;
             grant create on schema public to web, anon, app;
             set role supa; create extension pg_net; reset role;",
        )
        .unwrap();
    client.batch_execute("select net.wait_until_running()").unwrap();
    Fixture::with(cluster)
}

#[track_caller]
fn run(client: &mut Client, sql: &str) {
    client.batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
}
