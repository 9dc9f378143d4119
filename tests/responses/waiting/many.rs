//! Many requests, and many sessions, at once.

use std::collections::HashMap;
use std::fs;
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

use postgres::Client;
use testkit::{Cluster, Receiver, switches, wait_until_at_rest};

use super::{ask_held, wait_for_sleepers};
use crate::fixture::{Fixture, assert_works, value};

/// `(id, status, response's status)` of each request of an array.
fn wait_for_all(client: &mut Client, ids: &str, timeout: &str) -> Vec<(i64, String, Option<i32>)> {
    let sql =
        format!("select request_id, status::text, (response).status_code from net.await_responses({ids}, '{timeout}')");
    let rows = client.query(&sql, &[]).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    rows.iter().map(|row| (row.get(0), row.get(1), row.get(2))).collect()
}

#[test]
fn responses_come_in_the_order_of_the_ids() {
    let mut fixture = Fixture::new();
    let (a, b, c) = (
        fixture.get("/status/201").id.unwrap(),
        fixture.get("/close").id.unwrap(),
        fixture.get("/status/203").id.unwrap(),
    );
    let row = |id, status: &str, code| (id, status.to_owned(), code);
    let (of_a, of_b, of_c) = (row(a, "SUCCESS", Some(201)), row(b, "ERROR", None), row(c, "SUCCESS", Some(203)));
    // A row for each element, so that those of an id that comes twice are two; a null is no request.
    let all = wait_for_all(&mut fixture.client, &format!("array[{c}, {a}, null, {b}, {a}]"), "5 seconds");
    assert_eq!(all, [of_c.clone(), of_a.clone(), of_b.clone(), of_a.clone()]);
    for none in ["null", "'{}'", "array[null]::bigint[]"] {
        assert_eq!(wait_for_all(&mut fixture.client, none, "5 seconds"), [], "{none}");
    }

    let gate = fixture.receiver.hold("/held");
    let held = ask_held(&mut fixture, "/held");
    let some = wait_for_all(&mut fixture.client, &format!("array[{held}, {b}, {c}]"), "100 milliseconds");
    assert_eq!(some, [row(held, "PENDING", None), of_b, of_c]);
    gate.release();
    let last = wait_for_all(&mut fixture.client, &format!("array[{held}, {a}]"), "20 seconds");
    assert_eq!(last, [row(held, "SUCCESS", Some(200)), of_a]);
}

#[test]
fn five_hundred_requests_are_awaited_by_one_session() {
    let mut fixture = Fixture::new();
    let url = fixture.receiver.url("/x");
    let sql = format!("select array_agg(net.http_get('{url}'))::text from generate_series(1, 500)");
    let ids: String = fixture.value(&sql);
    let all = wait_for_all(&mut fixture.client, &format!("'{ids}'"), "20 seconds");
    assert_eq!(all.len(), 500);
    assert!(all.iter().all(|(_, status, code)| status == "SUCCESS" && *code == Some(200)), "{all:?}");
    assert_eq!(fixture.receiver.count(), 500);
}

const SESSIONS: usize = 200;

/// Each is woken by its own response and by nothing else: not by a clock, and not by the responses of others.
#[test]
fn sessions_that_wait_sleep_until_their_own_response_is_there() {
    let cluster = Cluster::builder().conf("max_connections", "250").conf("track_commit_timestamp", "on").start_ready();
    let mut fixture = Fixture::with(cluster);
    let others = Receiver::start();
    let told = fixture.get("/there").id.unwrap();
    let gate = fixture.receiver.hold("/held");
    let url = fixture.receiver.url("/held");
    let queue = format!(
        "select array_agg(net.http_get('{url}', timeout_milliseconds := 60000)) from generate_series(1, {SESSIONS})"
    );
    let ids: Vec<i64> = fixture.value(&queue);
    fixture.receiver.wait_for(1 + SESSIONS);
    let mut sessions: Vec<Client> = ids.iter().map(|_| fixture.cluster.connect()).collect();
    // Outside of a transaction Postgres sets a timer, for the statistics of a session at rest, that goes off even when the
    // session is no longer at rest.
    sessions.iter_mut().for_each(|client| client.batch_execute("begin").unwrap());
    let pids: Vec<i32> = sessions.iter_mut().map(|client| value(client, "select pg_backend_pid()")).collect();

    let telling = time_to_tell(&mut sessions, &pids, told);
    let worker = fixture.cluster.worker_pid(&mut fixture.client);
    let (returned, (before, of_worker)): (HashMap<i64, f64>, (Vec<_>, _)) = thread::scope(|scope| {
        let waiting: Vec<_> = sessions
            .iter_mut()
            .zip(&ids)
            .map(|(client, &id)| scope.spawn(move || (id, await_and_tell_the_time(client, id))))
            .collect();
        wait_for_sleepers(&mut fixture.client, SESSIONS as i64, "await_response");
        let before = wait_until_at_rest("sessions that have gone to sleep", &pids, Duration::from_millis(50));
        let quiet = Instant::now();
        // To another origin: this one has as many in flight as it may.
        for _ in 0..20 {
            assert_works(&mut fixture.client, &others);
        }
        // Time itself is what this is about: a session that polls would have polled within a second.
        sleep(Duration::from_secs(1).saturating_sub(quiet.elapsed()));
        let after: Vec<_> = pids.iter().map(|&pid| switches(pid)).collect();
        assert_eq!(after, before, "no session has run");
        let used = (pids.iter().map(|&pid| processor(pid)).collect(), processor(worker));
        gate.release();
        (waiting.into_iter().map(|session| session.join().unwrap()).collect(), used)
    });

    let queued_of_worker = processor(worker).1 - of_worker.1;
    let committed = commit_times(&mut fixture.client, &ids);
    let mut latest: (f64, f64) = (0.0, 0.0);
    for (place, id) in ids.iter().enumerate() {
        let late = returned[id] - committed[id];
        let queued = processor(pids[place]).1 - before[place].1 + queued_of_worker;
        latest = (latest.0.max(late), latest.1.max(late - queued));
    }
    let used: f64 = pids.iter().zip(&before).map(|(&pid, before)| processor(pid).0 - before.0).sum();
    println!("the last of {SESSIONS} sessions returned {:.1} ms after the commit of its response", latest.0 * 1000.0);
    // What others on this machine do meanwhile says nothing about us: time spent in line for a processor does not count. So
    // that 200 sessions do not stand in line for each other, they must not take long.
    assert!(latest.1 <= 0.05, "{} s after the commit, and not for lack of a processor", latest.1);
    println!("they had the processors for {used:.3} s; for {telling:.3} s where the response was there");
    assert!(used <= 2.0 * telling, "{used} s of the processors' time, where it should be {telling}");
}

/// What it takes to be told of a response that is there, by sessions that have been told of one before.
fn time_to_tell(sessions: &mut [Client], pids: &[i32], told: i64) -> f64 {
    let [first, second] = [(); 2].map(|()| {
        for client in &mut *sessions {
            await_and_tell_the_time(client, told);
        }
        pids.iter().map(|&pid| processor(pid).0).sum::<f64>()
    });
    second - first
}

/// When the responses to these requests were committed.
fn commit_times(client: &mut Client, ids: &Vec<i64>) -> HashMap<i64, f64> {
    let commits = "select id, extract(epoch from pg_xact_commit_timestamp(xmin))::float8 from net._http_response
                    where id = any ($1)";
    client.query(commits, &[ids]).unwrap().iter().map(|row| (row.get(0), row.get(1))).collect()
}

/// Seconds that a process had a processor, and that it stood in line for one; 0 where the system does not tell.
fn processor(pid: i32) -> (f64, f64) {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat")).unwrap_or_default();
    let mut numbers = text.split(' ').map(|number| number.parse::<f64>().unwrap_or_default() / 1e9);
    (numbers.next().unwrap_or_default(), numbers.next().unwrap_or_default())
}

/// Waits for a response; the server's clock when it was there.
fn await_and_tell_the_time(client: &mut Client, id: i64) -> f64 {
    let sql = format!(
        "select (r).status::text, extract(epoch from clock_timestamp())::float8
           from (select net.await_response({id}) as r offset 0) as s"
    );
    let row = client.query_one(&sql, &[]).unwrap();
    assert_eq!(row.get::<_, &str>(0), "SUCCESS");
    row.get(1)
}
