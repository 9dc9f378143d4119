//! What platforms grant, revoke, own, reset and dump.

mod cleaning;
mod dumps;
mod granted;
mod locks;
mod maintaining;
mod seen;

use postgres::Client;
use testkit::Cluster;

use crate::fixture::Fixture;

/// A hosted platform: the extension is a superuser's who is not the one that the server was made with; `app` is what its
/// customers call the administrator, `web` an ordinary caller.
const PLATFORM: &str = "
    create role supa superuser login;
    create role app login bypassrls createrole;
    grant pg_read_all_data, pg_monitor, pg_signal_backend to app;
    create role web login;
    create role anon login;";

/// The platform, with the extension in the database `postgres`.
fn platform() -> Fixture {
    with_extension(Cluster::builder().start(), "")
}

/// The same, where this is run before the extension is made.
fn with_extension(cluster: Cluster, before: &str) -> Fixture {
    let mut client = cluster.connect();
    client.batch_execute(PLATFORM).unwrap();
    client.batch_execute(before).unwrap_or_else(|error| panic!("{before}: {error:?}"));
    client.batch_execute("set role supa; create extension pg_net; reset role").unwrap();
    Fixture::with(cluster)
}

/// Connections for `web` and `anon`.
fn web_and_anon(fixture: &Fixture) -> [Client; 2] {
    ["web", "anon"].map(|role| fixture.cluster.connect_as(role, "postgres"))
}
