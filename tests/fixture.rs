//! What most tests start with.

use std::sync::Arc;
use std::time::Duration;

use postgres::{Client, GenericClient};
use testkit::{Call, Cluster, PATIENCE, Receiver, Request, Response, response, wait_until};

/// A server with the extension, a connection to it, and a receiver for its requests.
pub(crate) struct Fixture {
    // First, so that it is closed before the server is stopped.
    pub(crate) client: Client,
    pub(crate) receiver: Receiver,
    pub(crate) cluster: Cluster,
}

impl Fixture {
    pub(crate) fn new() -> Self {
        Self::with(Cluster::start_default())
    }

    /// With a cluster that has the extension in the database `postgres`.
    pub(crate) fn with(cluster: Cluster) -> Self {
        Self { client: cluster.connect(), receiver: Receiver::start(), cluster }
    }

    /// With statements counted, the worker's as well, in `pg_stat_statements`.
    pub(crate) fn counting_statements() -> Self {
        let cluster = Cluster::builder()
            .preload("pg_stat_statements")
            .conf("compute_query_id", "on")
            .conf("pg_stat_statements.track", "all")
            .start();
        cluster.connect().batch_execute("create extension pg_stat_statements; create extension pg_net").unwrap();
        Self::with(cluster)
    }

    /// Makes a request, and returns its id.
    #[track_caller]
    pub(crate) fn send(&mut self, call: Call) -> i64 {
        call.send(&mut self.client)
    }

    /// Makes so many requests in one transaction.
    #[track_caller]
    pub(crate) fn send_times(&mut self, call: Call, count: usize) {
        call.send_times(&mut self.client, count);
    }

    /// Makes a request, and waits for the response.
    #[track_caller]
    pub(crate) fn fetch(&mut self, call: Call) -> Response {
        let id = self.send(call);
        self.response(id)
    }

    /// Sends a GET to a path of the receiver, and waits for the response.
    #[track_caller]
    pub(crate) fn get(&mut self, path: &str) -> Response {
        let url = self.receiver.url(path);
        self.get_url(&url)
    }

    /// Sends a GET, and waits for the response.
    #[track_caller]
    pub(crate) fn get_url(&mut self, url: &str) -> Response {
        self.fetch(Call::get(url))
    }

    /// Waits for the response to a request.
    #[track_caller]
    pub(crate) fn response(&mut self, id: i64) -> Response {
        response(&mut self.client, id)
    }

    /// Waits for the first request with this path.
    #[track_caller]
    pub(crate) fn received(&self, path: &str) -> Arc<Request> {
        self.receiver.wait_for_request(path, |request| request.path() == path)
    }

    /// Fails the test unless a request is still sent, answered and recorded.
    #[track_caller]
    pub(crate) fn assert_works(&mut self) {
        assert_works(&mut self.client, &self.receiver);
    }

    /// One value of one row.
    #[track_caller]
    pub(crate) fn value<T: for<'a> postgres::types::FromSql<'a>>(&mut self, sql: &str) -> T {
        value(&mut self.client, sql)
    }
}

/// One value of one row.
#[track_caller]
pub(crate) fn value<T: for<'a> postgres::types::FromSql<'a>>(client: &mut impl GenericClient, sql: &str) -> T {
    client.query_one(sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}")).get(0)
}

/// Fails the test unless a request is sent, answered and recorded.
#[track_caller]
pub(crate) fn assert_works(client: &mut Client, receiver: &Receiver) {
    let path = format!("/works/{}", receiver.count());
    let id = Call::get(&receiver.url(&path)).send(client);
    let answer = response(client, id);
    assert_eq!((answer.status_code, answer.error_msg.as_deref()), (Some(200), None));
    receiver.wait_for_request(&path, |request| request.path() == path);
}

/// The server's major version.
#[track_caller]
pub(crate) fn major(client: &mut impl GenericClient) -> i32 {
    value(client, "select current_setting('server_version_num')::int / 10000")
}

/// The SQLSTATE and the message of a statement that must fail.
#[track_caller]
pub(crate) fn error_of(client: &mut impl GenericClient, sql: &str) -> (String, String) {
    let error = client.batch_execute(sql).expect_err(sql);
    let error = error.as_db_error().unwrap_or_else(|| panic!("{sql}: no error of the server's: {error}"));
    (error.code().code().to_owned(), error.message().to_owned())
}

/// Gives up on a statement that takes longer, so that what must be prompt fails the test when it is not.
#[track_caller]
pub(crate) fn allow_at_most(client: &mut Client, time: Duration) {
    client.batch_execute(&format!("set statement_timeout = {}", time.as_millis())).expect("set a timeout");
}

/// Waits until the crash has ended all sessions, and connects again when the server has recovered.
pub(crate) fn reconnect(fixture: &mut Fixture) {
    wait_until("the end of all sessions", PATIENCE, || fixture.client.batch_execute("select 1").is_err());
    fixture.client = wait_until("the server after the crash", PATIENCE, || {
        // The postmaster takes connections again when recovery is done.
        fixture.cluster.try_connect_as("postgres", "postgres").ok()
    });
}
