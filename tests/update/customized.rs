//! The update, from every version, with all that users have added or closed.

mod attached;
mod closed;
mod event_triggers;
mod objects;
mod traffic;
mod versions;
mod without_where;

use postgres::Client;

use crate::fixture::Fixture;
use crate::update::{listening, update};

/// Updates, and gives the warnings but for the one that each update has.
fn warnings_of_update(fixture: &Fixture) -> Vec<String> {
    let (mut client, heard) = listening(&fixture.cluster);
    update(&mut client);
    let heard = heard.lock().unwrap();
    heard
        .iter()
        .map(|notice| notice.message().to_owned())
        .filter(|message| !message.starts_with("pg_net: roles now reach their own"))
        .collect()
}

/// The SQLSTATE of a statement, or none if it succeeds. What it does is taken back.
fn state_of(client: &mut Client, sql: &str) -> Option<String> {
    client.batch_execute("begin").unwrap();
    let state = client.batch_execute(sql).err().map(|error| match error.as_db_error() {
        Some(error) => error.code().code().to_owned(),
        None => panic!("{sql}: {error}"),
    });
    client.batch_execute("rollback").unwrap();
    state
}
