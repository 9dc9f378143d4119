//! A worker with nothing to do does nothing.

use std::thread::sleep;
use std::time::Duration;

use testkit::{PATIENCE, voluntary_switches, wait_until, wait_until_at_rest};

use crate::fixture::Fixture;

#[test]
fn an_idle_worker_runs_no_statement_in_a_minute_and_hardly_wakes() {
    let mut fixture = Fixture::counting_statements();
    fixture.assert_works();
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    let statements = "select coalesce(sum(calls), 0)::bigint from pg_stat_statements where query not like '%pg_stat_%'";
    assert!(fixture.value::<i64>(statements) > 0, "the worker's statements are counted");
    // Its own affairs after the last response: statistics flushed, the connection put away.
    wait_until("an idle worker", PATIENCE, || {
        fixture.value::<bool>("select state = 'idle' from pg_stat_activity where backend_type = 'pg_net'")
    });
    let launcher = fixture.cluster.process_pid("pg_net launcher").expect("a launcher");
    wait_until_at_rest("a worker and a launcher at rest", &[pid, launcher], Duration::from_secs(1));

    fixture.client.batch_execute("select pg_stat_statements_reset()").unwrap();
    let before = [pid, launcher].map(voluntary_switches);
    // Time itself is what this is about.
    sleep(Duration::from_secs(60));
    let [switches, launchers] = [pid, launcher].map(voluntary_switches);
    let (switches, launchers) = (switches - before[0], launchers - before[1]);
    let ran = fixture.value::<i64>(statements);
    assert_eq!(ran, 0, "statements in a minute of rest");
    assert!(switches <= 10, "{switches} voluntary switches in a minute of rest");
    assert_eq!(launchers, 0, "voluntary switches of the launcher in a minute of rest");
    fixture.assert_works();
    assert_eq!(fixture.cluster.worker_pid(&mut fixture.client), pid);
}

#[test]
fn a_transaction_wakes_the_worker_once_however_many_requests_it_makes() {
    let mut fixture = Fixture::new();
    fixture.assert_works();
    let pid = fixture.cluster.worker_pid(&mut fixture.client);
    wait_until("an idle worker", PATIENCE, || {
        fixture.value::<bool>("select state = 'idle' from pg_stat_activity where backend_type = 'pg_net'")
    });
    let url = fixture.receiver.url("/never");
    let before = voluntary_switches(pid);
    // One after the other, so that the worker could wake for each.
    let made = fixture.value::<i64>(&format!(
        "select count(net.http_request('GET', '{url}', not_before => 'infinity'))
           from generate_series(1, 300) n, lateral (select pg_sleep(0.002 + 0 * n)) s"
    ));
    assert_eq!(made, 300);
    fixture.assert_works();
    let switches = voluntary_switches(pid) - before;
    assert!(switches < 100, "{switches} voluntary switches for one transaction of 300 requests and one of one");
    assert_eq!(fixture.value::<i64>("select count(*) from net.http_request_queue"), 300);
    assert_eq!(fixture.receiver.count(), 2);
}
