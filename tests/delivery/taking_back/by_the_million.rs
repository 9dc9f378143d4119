//! A million requests of one role.

use std::time::{Duration, Instant};

use postgres::Client;

use testkit::Call;

use super::{ON_THE_WIRE, Stalled};
use crate::fixture::{allow_at_most, value};

const MANY: usize = 1_000_000;
/// Of a machine that does other things meanwhile.
const IN_SECONDS: Duration = Duration::from_secs(30);

/// A session of the plain role `web`, which may delete what it has asked for.
fn web(stalled: &mut Stalled) -> Client {
    stalled.fixture.client.batch_execute("create role web login").unwrap();
    stalled.fixture.cluster.connect_as("web", "postgres")
}

/// Asks for a path as `web`, so often, and waits until a part is under way.
fn ask(stalled: &mut Stalled, web: &mut Client, path: &str, count: usize) {
    let url = stalled.fixture.receiver.url(path);
    let ask =
        format!("select count(net.http_get('{url}', timeout_milliseconds := 600000)) from generate_series(1, {count})");
    assert_eq!(value::<i64>(web, &ask), count as i64);
    stalled.fixture.receiver.wait_for(ON_THE_WIRE);
}

fn within_seconds<T>(client: &mut Client, work: impl FnOnce(&mut Client) -> T) -> T {
    allow_at_most(client, IN_SECONDS);
    let start = Instant::now();
    let result = work(client);
    println!("took {:?}", start.elapsed());
    allow_at_most(client, Duration::ZERO);
    result
}

#[test]
fn case_02_a_million_of_ones_own_are_deleted_in_seconds() {
    let mut stalled = Stalled::new();
    let mut web = web(&mut stalled);
    let gate = stalled.fixture.receiver.hold("/slow");
    ask(&mut stalled, &mut web, "/slow", MANY);
    let url = stalled.fixture.receiver.url("/others");
    let others = stalled.fixture.send(Call::get(&url));
    let deleted = within_seconds(&mut web, |web| web.execute("delete from net.http_request_queue", &[]).unwrap());
    assert_eq!(deleted, MANY as u64, "all of its own");
    gate.release();
    assert_eq!(stalled.fixture.response(others).status_code, Some(200), "and of nobody else's");
    stalled.assert_nothing_is_left();
    assert_eq!(stalled.arrivals("/slow").0, ON_THE_WIRE);
}

#[test]
fn case_02_a_million_ids_are_taken_back_in_seconds() {
    let mut stalled = Stalled::new();
    let mut web = web(&mut stalled);
    let gate = stalled.fixture.receiver.hold("/slow");
    ask(&mut stalled, &mut web, "/slow", MANY);
    let all = "select array_agg(id) from net.http_request_queue";
    let taken = within_seconds(&mut web, |web| {
        web.batch_execute("begin").unwrap();
        value::<i64>(web, &format!("select net.cancel(({all}))"))
    });
    assert_eq!(taken, (MANY - ON_THE_WIRE) as i64);
    within_seconds(&mut web, |web| web.batch_execute("commit").unwrap());
    gate.release();
    stalled.assert_nothing_is_left();
    assert_eq!(stalled.arrivals("/slow").0, ON_THE_WIRE);
}

/// Outcomes are recorded, and rows deleted for it, while the statement deletes the same rows: neither fails for the other.
#[test]
fn case_02_a_delete_gets_along_with_a_busy_worker() {
    let mut stalled = Stalled::new();
    let mut web = web(&mut stalled);
    ask(&mut stalled, &mut web, "/fast", 200_000);
    stalled.fixture.receiver.wait_for(500);
    let deleted = within_seconds(&mut web, |web| web.execute("delete from net.http_request_queue", &[]).unwrap());
    assert!(deleted > 100_000, "{deleted} deleted");
    let arrived = stalled.arrivals("/fast").0;
    stalled.assert_nothing_is_left();
    let later = stalled.arrivals("/fast").0 - arrived;
    assert!(later <= ON_THE_WIRE, "{later} more arrived than were on the wire");
    let answered = stalled.fixture.value::<i64>("select count(*) from net._http_response where url like '%/fast'");
    assert!(answered as u64 + deleted >= 200_000, "{answered} answered, {deleted} deleted");
}
