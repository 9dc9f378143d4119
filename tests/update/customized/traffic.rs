//! The update while others call.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use postgres::Client;
use testkit::{PATIENCE, wait_until};

use crate::fixture::Fixture;
use crate::update::old_version::{NEWEST, Version};
use crate::update::{create, fixture};

/// Sessions that call until they are told to stop, each a transaction after the other. Gives how many calls committed.
struct Callers {
    stop: Arc<AtomicBool>,
    threads: Vec<thread::JoinHandle<Result<usize, String>>>,
}

impl Callers {
    fn start(fixture: &Fixture, roles: &[&str], transaction: &str) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let threads = roles
            .iter()
            .map(|role| {
                let mut client = fixture.cluster.connect_as(role, "postgres");
                let (stop, transaction) = (Arc::clone(&stop), transaction.to_owned());
                thread::spawn(move || call(&mut client, &stop, &transaction))
            })
            .collect();
        Self { stop, threads }
    }

    fn finish(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        let calls = self.threads.into_iter().map(|thread| thread.join().unwrap());
        calls.collect::<Result<Vec<_>, _>>().unwrap_or_else(|error| panic!("{error}")).into_iter().sum()
    }
}

fn call(client: &mut Client, stop: &AtomicBool, transaction: &str) -> Result<usize, String> {
    let mut calls = 0;
    while !stop.load(Ordering::Relaxed) {
        client.batch_execute(transaction).map_err(|error| format!("call {calls}: {error:?}"))?;
        calls += 1;
    }
    Ok(calls)
}

/// Fails the test unless each call had its answer.
fn assert_all_answered(fixture: &mut Fixture, calls: usize, what: &str) {
    wait_until(&format!("{calls} responses, {what}"), PATIENCE, || {
        fixture.value::<i64>("select count(*) from net._http_response where status_code = 200")
            == i64::try_from(calls).unwrap()
    });
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 0, "{what}");
    assert_eq!(fixture.receiver.wait_for(calls).len(), calls, "{what}");
}

fn update_amid_calls(version: Version, setup: &str, roles: &[&str], transaction: &str) {
    for round in 0..3 {
        let mut fixture = fixture();
        fixture.client.batch_execute("create role web login; create role app login").unwrap();
        create(&mut fixture.client, version);
        fixture.client.batch_execute(setup).unwrap();
        let url = fixture.receiver.url("/traffic");
        let callers = Callers::start(&fixture, roles, &transaction.replace("{url}", &url));
        let waiting = "select count(*) from net.http_request_queue";
        wait_until("calls", PATIENCE, || fixture.value::<i64>(waiting) > 20);
        fixture.client.batch_execute("alter extension pg_net update").unwrap();
        let answered = "select count(*) from net._http_response";
        wait_until("answers", PATIENCE, || fixture.value::<i64>(answered) > 20);
        let calls = callers.finish();
        assert_all_answered(&mut fixture, calls, &format!("{version}, round {round}"));
    }
}

#[test]
fn case_10_an_update_amid_calls_of_the_owners_loses_none_and_fails_none() {
    update_amid_calls(NEWEST, "", &["postgres"; 4], "select net.http_post('{url}')");
}

/// As platforms have it.
#[test]
fn case_10_an_update_amid_calls_through_definers_loses_none_and_fails_none() {
    update_amid_calls(
        NEWEST,
        "alter function net.http_post(text, jsonb, jsonb, jsonb, integer) security definer",
        &["web", "app", "web", "app"],
        "select net.http_post('{url}')",
    );
}

/// They hold one table and wait for the other, either way round: the update waits, and causes no deadlock.
#[test]
fn case_10_an_update_amid_transactions_that_read_and_call_is_no_deadlock() {
    update_amid_calls(
        NEWEST,
        "",
        &["postgres"; 4],
        "begin; select count(*) from net._http_response where id < 0; select pg_sleep(0.005);
         select net.http_post('{url}'); commit",
    );
    update_amid_calls(
        NEWEST,
        "",
        &["postgres"; 4],
        "begin; select net.http_post('{url}'); select pg_sleep(0.005);
         select count(*) from net._http_response where id < 0; commit",
    );
}

/// A statement that makes several calls, and waits with its first, has looked up the C version's function for all of them: it
/// fails, and rolls back.
#[test]
fn case_10_an_update_amid_statements_of_many_calls_loses_none() {
    let fixture = fixture();
    let rows = "select net.http_post('{url}') from generate_series(1, 300)";
    let failed = update_amid_failing_calls(fixture, "postgres", rows, 300);
    assert!(failed.iter().all(|state| state == "42601"), "{failed:?}");
}

/// A plain role's call that is in the middle of the C version's function at the commit has no right to insert any more: it fails,
/// and rolls back. None that committed is lost, and those that come after succeed.
#[test]
fn case_10_an_update_amid_calls_of_plain_roles_loses_none() {
    let fixture = fixture();
    let failed = update_amid_failing_calls(fixture, "web", "select net.http_post('{url}')", 1);
    assert!(failed.iter().all(|state| state == "42501"), "{failed:?}");
}

/// Fails the test unless each caller failed once at most, and each call that committed had its answer. Gives the SQLSTATEs.
fn update_amid_failing_calls(mut fixture: Fixture, role: &str, statement: &str, calls_each: usize) -> Vec<String> {
    fixture.client.batch_execute("create role web login").unwrap();
    create(&mut fixture.client, NEWEST);
    let statement = statement.replace("{url}", &fixture.receiver.url("/traffic"));
    let stop = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> = (0..4)
        .map(|_| {
            let mut client = fixture.cluster.connect_as(role, "postgres");
            let (stop, statement) = (Arc::clone(&stop), statement.clone());
            thread::spawn(move || {
                let (mut done, mut failed) = (0, Vec::new());
                while !stop.load(Ordering::Relaxed) {
                    match client.batch_execute(&statement) {
                        Ok(()) => done += 1,
                        Err(error) => {
                            failed.push(error.as_db_error().expect("a server's error").code().code().to_owned())
                        }
                    }
                }
                (done, failed)
            })
        })
        .collect();
    wait_until("calls", PATIENCE, || fixture.value::<i64>("select count(*) from net.http_request_queue") > 20);
    fixture.client.batch_execute("alter extension pg_net update").unwrap();
    wait_until("answers", PATIENCE, || fixture.value::<i64>("select count(*) from net._http_response") > 20);
    stop.store(true, Ordering::Relaxed);
    let (mut all, mut states) = (0, Vec::new());
    for caller in callers {
        let (done, failed) = caller.join().unwrap();
        assert!(failed.len() <= 1, "{failed:?}");
        all += done * calls_each;
        states.extend(failed);
    }
    assert_all_answered(&mut fixture, all, role);
    states
}
