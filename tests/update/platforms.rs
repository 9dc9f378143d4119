//! What platforms do to the functions after `CREATE EXTENSION`, under the C version and under ours.

use postgres::Client;

use super::old_version::{LAST_WITHOUT_BODY, NEWEST, OLDEST, Version};
use super::{create, fixture, update};
use crate::fixture::{Fixture, error_of, value};

const SETUP: &str = "
    alter function net.http_get(text, jsonb, jsonb, integer) security definer;
    alter function net.http_post(text, jsonb, jsonb, jsonb, integer) security definer;
    alter function net.http_get(text, jsonb, jsonb, integer) set search_path = net;
    alter function net.http_post(text, jsonb, jsonb, jsonb, integer) set search_path = net;
    revoke all on function net.http_get(text, jsonb, jsonb, integer) from public;
    revoke all on function net.http_post(text, jsonb, jsonb, jsonb, integer) from public;
    grant usage on schema net to service, other;
    grant execute on function net.http_get(text, jsonb, jsonb, integer) to service;
    grant execute on function net.http_post(text, jsonb, jsonb, jsonb, integer) to service;
    revoke all on schema net from public";

#[test]
fn what_platforms_do_to_the_functions_is_kept_by_the_update() {
    let mut fixture = fixture();
    fixture.client.batch_execute("create role service login; create role other login").unwrap();
    for version in [OLDEST, Version(0, 12, 0), LAST_WITHOUT_BODY, NEWEST] {
        create(&mut fixture.client, version);
        fixture.client.batch_execute(SETUP).unwrap();
        let mut service = fixture.cluster.connect_as("service", "postgres");
        let waiting = call(&mut service, &fixture, &format!("/{version}/before"));
        assert_refused(&fixture, version);

        update(&mut fixture.client);
        let later = call(&mut service, &fixture, &format!("/{version}/after"));
        // The same session as before, and a new one.
        let last = call(&mut fixture.cluster.connect_as("service", "postgres"), &fixture, &format!("/{version}/anew"));
        assert_refused(&fixture, version);
        assert_answered(&mut fixture, waiting.into_iter().chain(later).chain(last));
        for path in ["before", "after", "anew"] {
            assert_received(&fixture, &format!("/{version}/{path}"));
        }

        // The rows are those of the role that called.
        let seen = "select array_agg(id order by id) from net._http_response";
        assert_eq!(value::<Vec<i64>>(&mut service, seen), [waiting, later, last].concat(), "{version}");
        // But for those that were made when their caller was not recorded.
        let mut other = fixture.cluster.connect_as("other", "postgres");
        assert_eq!(value::<Vec<i64>>(&mut other, seen), waiting, "{version}");
    }
}

#[test]
fn what_platforms_do_to_the_functions_works_on_a_new_database() {
    let mut fixture = Fixture::new();
    fixture.client.batch_execute("create role service login; create role other login").unwrap();
    fixture.client.batch_execute(SETUP).unwrap();
    let ids = call(&mut fixture.cluster.connect_as("service", "postgres"), &fixture, "/new");
    assert_answered(&mut fixture, ids);
    assert_received(&fixture, "/new");
    assert_refused(&fixture, NEWEST);
    assert_eq!(fixture.receiver.count(), 2);
}

/// Calls both functions.
fn call(client: &mut Client, fixture: &Fixture, path: &str) -> [i64; 2] {
    let url = fixture.receiver.url(path);
    ["http_get", "http_post"].map(|function| value::<i64>(client, &format!("select net.{function}('{url}')")))
}

fn assert_refused(fixture: &Fixture, version: Version) {
    let mut other = fixture.cluster.connect_as("other", "postgres");
    for function in ["http_get", "http_post"] {
        let (state, message) = error_of(&mut other, &format!("select net.{function}('http://127.0.0.1:1/')"));
        assert_eq!(state, "42501", "{version}: {message}");
        assert!(message.contains(function), "{version}: {message}");
    }
}

fn assert_answered(fixture: &mut Fixture, ids: impl IntoIterator<Item = i64>) {
    for id in ids {
        let answer = fixture.response(id);
        assert_eq!((answer.status_code, answer.error_msg.as_deref()), (Some(200), None), "{answer:?}");
    }
}

fn assert_received(fixture: &Fixture, path: &str) {
    let requests = fixture.receiver.requests();
    let mut methods: Vec<_> =
        requests.iter().filter(|request| request.path() == path).map(|request| request.method.as_str()).collect();
    methods.sort_unstable();
    assert_eq!(methods, ["GET", "POST"], "{path}");
}
