//! A standby: nothing runs there, until it is promoted.

use std::collections::BTreeSet;

use testkit::{Cluster, PATIENCE, Receiver, wait_until};

use super::{create, served};
use crate::fixture::{error_of, value};

#[test]
fn on_a_standby_nothing_runs_and_calls_say_why_they_fail() {
    let primary = Cluster::start_default();
    let standby = primary.start_standby();
    let mut client = standby.connect();
    assert_eq!(served(&mut client), [""; 0]);
    assert!(!standby.has_process("pg_net"), "no process of ours, connected or not");
    let (code, message) = error_of(&mut client, "select net.http_get('http://127.0.0.1:1/')");
    assert_eq!((code.as_str(), message.as_str()), ("25006", "cannot make HTTP requests on a standby: it is read-only"));
    assert_eq!(error_of(&mut client, "select net.wait_until_running()").0, "25006");
    assert_eq!(error_of(&mut client, "select net.check_worker_is_up()").1, "the pg_net background worker is not up");
}

/// No client says anything to the new primary but `pg_promote`.
#[test]
fn a_thousand_requests_outlive_the_primary() {
    let mut primary = Cluster::builder().conf("pg_net.paused", "on").start_ready();
    let receiver = Receiver::start();
    let mut clients = [primary.connect(), create(&primary, "app")];
    let standby = primary.start_standby();
    standby.psql("select 1");
    for (client, first) in clients.iter_mut().zip([1, 501]) {
        let url = receiver.url("/queued");
        let ask = format!("select net.http_get('{url}?n=' || n) from generate_series({first}, {first} + 499) as n");
        client.batch_execute(&ask).unwrap();
    }
    let written: String = value(&mut clients[0], "select pg_current_wal_lsn()::text");
    wait_until("the standby to catch up", PATIENCE, || {
        value::<bool>(&mut standby.connect(), &format!("select pg_last_wal_replay_lsn() >= '{written}'"))
    });
    drop(clients);
    primary.kill_postmaster();
    assert_eq!(receiver.count(), 0);
    standby.set_in_file("pg_net.paused", "off");
    standby.run("pg_ctl", &["promote", "-D", standby.data_directory().to_str().unwrap()]);
    let numbers: BTreeSet<String> =
        receiver.wait_for(1000).iter().map(|request| request.query().unwrap_or_default().to_owned()).collect();
    assert_eq!((numbers.len(), receiver.count()), (1000, 1000));
    assert!(standby.process_pid("pg_net launcher").is_some());
}
