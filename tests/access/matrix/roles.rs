//! The roles of the matrix, in the order of its columns.

use postgres::Client;
use testkit::Cluster;

/// The owner of the extension, who is no superuser any more; a superuser; two ordinary roles; a member of alice that inherits
/// her rights and one that does not; a member of `pg_read_all_data`; a member of `pg_signal_backend`; what a hosted platform gives its
/// customers as their administrator; the owner of the database, who is no other of these.
pub(super) const ROLES: [&str; 10] =
    ["owner", "postgres", "alice", "bob", "heir", "noheir", "reader", "signaller", "app", "boss"];

/// What is expected of [`ROLES`], a character each: `+` may, `-` may not.
pub(super) type Expected = &'static str;

/// Whether a role may, by an expectation.
pub(super) fn may(expected: Expected, role: usize) -> bool {
    let marks: Vec<char> = expected.chars().filter(|mark| !mark.is_whitespace()).collect();
    assert_eq!(marks.len(), ROLES.len(), "{expected:?} has a mark for each role");
    match marks[role] {
        '+' => true,
        '-' => false,
        other => panic!("{other:?} in {expected:?}"),
    }
}

/// A server with the extension, made and owned by `owner`, and all the roles.
pub(super) fn cluster() -> Cluster {
    let cluster = Cluster::builder().start();
    cluster
        .connect()
        .batch_execute(
            "create role owner login superuser;
             create role alice login;
             create role bob login;
             create role heir login inherit in role alice;
             create role noheir login noinherit in role alice;
             create role reader login in role pg_read_all_data;
             create role signaller login in role pg_signal_backend;
             create role app login bypassrls createrole in role pg_read_all_data, pg_monitor, pg_signal_backend;
             create role boss login createdb;
             alter database postgres owner to boss;
             set role owner;
             create extension pg_net;
             reset role;
             alter role owner nosuperuser;
             grant create on schema public to public;
             grant create on database postgres to public",
        )
        .unwrap();
    cluster
}

/// A connection for each role.
pub(super) fn connect(cluster: &Cluster) -> Vec<Client> {
    ROLES.iter().map(|role| cluster.connect_as(role, "postgres")).collect()
}

/// Whether a role may do something, found out by doing it, and taken back. Another error than a missing right is none: the
/// right was there.
pub(super) fn does(client: &mut Client, statement: &str) -> bool {
    client.batch_execute("begin").unwrap();
    let done = client.batch_execute(statement);
    client.batch_execute("rollback").unwrap();
    match done {
        Ok(()) => true,
        Err(error) => {
            let code = error.code().unwrap_or_else(|| panic!("{statement}: {error:?}"));
            assert!(!code.code().starts_with("42") || code.code() == "42501", "{statement}: {error:?}");
            code.code() != "42501"
        }
    }
}
