//! Where requests may go. What is forbidden or elsewhere is dialled in networks of the tests' own, where our receiver listens
//! on every address: a guard that fails is seen by it, and nothing leaves the machine.

mod closed;
mod dump;
mod names;
mod own_port;
mod proxy;
mod public;
mod rules;
mod rules_change;

use postgres::Client;
use testkit::{Call, Receiver, Response, response};

use crate::fixture::Fixture;

const REFUSED: &str = "Refused by the egress policy";

/// The URL of the receiver at another host.
fn url_at(receiver: &Receiver, host: &str, path: &str) -> String {
    format!("http://{host}:{}{path}", receiver.port())
}

/// Sends a GET, by a row that is made by hand, in the name of a role, and waits for the response.
#[track_caller]
fn insert_as(fixture: &mut Fixture, role: &str, url: &str) -> Response {
    let id = fixture.value::<i64>(&format!(
        "insert into net.http_request_queue (method, url, timeout_milliseconds, requested_by)
         values ('GET', '{url}', 5000, '{role}'::regrole) returning id"
    ));
    fixture.client.batch_execute("select net.wake()").unwrap();
    fixture.response(id)
}

/// Sends a GET, by a row that is made by hand, and waits for the response.
#[track_caller]
fn insert(fixture: &mut Fixture, url: &str) -> Response {
    insert_as(fixture, "postgres", url)
}

/// Fails the test unless a GET of a row that is made by hand ends as a refusal.
#[track_caller]
fn assert_refused(fixture: &mut Fixture, url: &str) {
    assert_refused_as(fixture, "postgres", url);
}

/// Fails the test unless a GET of a row that is made by hand, in the name of a role, ends as a refusal.
#[track_caller]
fn assert_refused_as(fixture: &mut Fixture, role: &str, url: &str) {
    let answer = insert_as(fixture, role, url);
    answer.assert_failure(REFUSED);
    let id = answer.id.unwrap();
    let kind: String = fixture.value(&format!("select error_kind from net._http_response where id = {id}"));
    assert_eq!(kind, "egress_refused");
}

/// Sends a GET as a role that is connected, and gives its status.
#[track_caller]
fn status(client: &mut Client, url: &str) -> Option<i32> {
    let id = Call::get(url).timeout(5000).send(client);
    response(client, id).status_code
}

/// Why a GET of a role that is connected is refused by what its URL alone tells: it has no attempt.
#[track_caller]
fn refusal(client: &mut Client, url: &str) -> String {
    let id = Call::get(url).send(client);
    response(client, id).assert_failure(REFUSED);
    let select = "select error_detail, attempts from net._http_response where id = $1";
    let row = client.query_one(select, &[&id]).expect("the response");
    assert_eq!(row.get::<_, i32>(1), 0, "{url}");
    row.get(0)
}
