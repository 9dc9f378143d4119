//! `ALTER EXTENSION pg_net UPDATE` in a database that has the C version, from each version of it.

mod before;
pub(crate) mod catalog;
mod customized;
mod each_version;
mod http_delete;
pub(crate) mod old_sql;
pub(crate) mod old_version;
mod owner;
mod plain_worker;
mod planted_triggers;
mod platforms;
mod released;
mod rights;
mod same_catalog;

use std::sync::{Arc, Mutex};

use postgres::error::DbError;
use postgres::{Client, Config, NoTls};
use testkit::Cluster;

use crate::fixture::Fixture;
use old_version::Version;

/// A server that has the scripts of the C version's SQL, and no extension yet.
pub(crate) fn fixture() -> Fixture {
    let mut fixture = Fixture::with(Cluster::builder().start());
    old_sql::install(&mut fixture.client);
    fixture
}

/// Makes the extension as this version of the C version did, in place of the one that is there.
#[track_caller]
pub(crate) fn create(client: &mut Client, version: Version) {
    client
        .batch_execute(&format!(
            "drop extension if exists pg_net cascade;
             create extension pg_net version '{}';
             update pg_extension set extversion = '{version}' where extname = 'pg_net'",
            old_sql::label(version)
        ))
        .unwrap_or_else(|error| panic!("create {version}: {error:?}"));
}

/// Switches to our SQL.
#[track_caller]
pub(crate) fn update(client: &mut Client) {
    client.batch_execute("alter extension pg_net update").unwrap_or_else(|error| panic!("update: {error:?}"));
}

/// How often a worker has asked for the update in the log.
fn times_asked_for(cluster: &Cluster, worker: i32) -> usize {
    let says_who = format!(" [{worker}] ");
    let asks = |line: &&str| line.contains(&says_who) && line.contains("ALTER EXTENSION pg_net UPDATE");
    cluster.log().lines().filter(asks).count()
}

/// A connection that keeps the notices and warnings that it is sent.
pub(crate) fn listening(cluster: &Cluster) -> (Client, Arc<Mutex<Vec<DbError>>>) {
    let heard = Arc::new(Mutex::new(Vec::new()));
    let ear = Arc::clone(&heard);
    let mut config: Config = cluster.connection_string().parse().unwrap();
    config.notice_callback(move |notice| ear.lock().unwrap().push(notice));
    (config.connect(NoTls).unwrap(), heard)
}
